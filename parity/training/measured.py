"""One tensor of a training after a step, as it was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from parity.compare import TensorError
from parity.parameter_gradients import CANCELLED, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parity.comparison import Kind


@dataclass(frozen=True)
class Measured:
    """One tensor after a step, in one precision.

    Attributes:
        kind: See `parity.comparison.TensorComparison`.
        name: Torch's name for it.
        shape: Its shape in torch.
        error: How far the other side's is from it.
        remark: What is to be known of the error.
    """

    kind: Kind
    name: str
    shape: tuple[int, ...]
    error: TensorError
    remark: str = ""

    @property
    def key(self) -> tuple[Kind, str]:
        """What it is, and its name."""
        return self.kind, self.name


def without_cancelled(found: list[Measured], dtype: str) -> Iterator[Measured]:
    """Measure what is zero but for rounding against the largest of its kind.

    Args:
        found: All of one kind.
        dtype: The precision that they were computed in.
    """
    largest = max((one.error.scale for one in found if one.error.error is not None), default=0.0)
    for one in found:
        error = one.error
        if error.error is None or error.scale >= CANCELLED[dtype] * largest or not largest:
            yield one
            continue
        absolute = error.error * (error.scale or 1.0)
        yield replace(one, error=TensorError(absolute / largest, largest), remark=ZERO)
