"""From which framework to which, in which element type: what a row means on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace

from converters.checkpoint import LazyTensor
from converters.dtypes import BY_NAME, DType
from converters.rules import TensorRule
from converters.transforms import FLOATING, TRANSFORMS

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Passage:
    """The way of a conversion.

    Attributes:
        origin: the source's framework.
        to: the target's framework.
        dtype: element type of floating-point tensors in the target, or ``keep``.
    """

    origin: str
    to: str
    dtype: str = "keep"

    @property
    def inverse(self) -> bool:
        """Whether transforms run backwards."""
        return self.origin == "paddle" and self.to == "torch"

    def source_shape(self, row: TensorRule, shape: Shape) -> Shape:
        """Return the shape that a tensor has in the source, given torch's."""
        return TRANSFORMS[row.transform].shape(shape) if self.origin == "paddle" else shape

    def target_shape(self, row: TensorRule, shape: Shape) -> Shape:
        """Return the shape that a tensor has in the target, given torch's."""
        return TRANSFORMS[row.transform].shape(shape) if self.to == "paddle" else shape

    def applied(self, row: TensorRule) -> TensorRule:
        """Return a row as it applies: within one framework only a fold changes elements."""
        same = self.origin == self.to and row.transform != "fold"
        return replace(row, transform="copy", reason="") if same else row

    def target_type(self, tensor: LazyTensor) -> DType:
        """Return the element type that a tensor gets."""
        if self.dtype == "keep" or tensor.type not in FLOATING:
            return tensor.type
        return BY_NAME[self.dtype]
