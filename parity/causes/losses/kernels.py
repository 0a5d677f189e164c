"""A convolution inside of a loss whose kernel is another than torch's: a constant, drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import paddle
from paddle.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parity.causes.losses.calls import Call

NAMES = ("conv1d", "conv2d", "conv3d")


@dataclass(frozen=True)
class Kernel:
    """A kernel that is another than torch's.

    Attributes:
        shape: Of it.
        wanted: Torch's values, the first few.
        found: Paddle's.
    """

    shape: tuple[int, ...]
    wanted: np.ndarray
    found: np.ndarray

    def __str__(self) -> str:
        """Say what differs."""
        found, wanted = (np.array2string(x, precision=3) for x in (self.found, self.wanted))
        return f"the kernel {list(self.shape)} is {found}, torch's {wanted}"


@dataclass
class Kernels:
    """Lets paddle's convolutions have the kernels of torch's, in the order of their calls.

    Attributes:
        calls: Torch's convolutions.
        other: The kernels that were exchanged.
    """

    calls: Sequence[Call]
    other: list[Kernel] = field(default_factory=list)

    @contextmanager
    def exchanged(self) -> Iterator[None]:
        """Exchange what differs while the context holds."""
        self.other.clear()
        left = [call for call in self.calls if call.name in NAMES]
        with ExitStack() as patches:
            for name in NAMES:
                plain = getattr(functional, name)
                patched = self._with_torchs(plain, left)
                patches.enter_context(mock.patch.object(functional, name, patched))
            yield

    def _with_torchs(self, plain: Callable[..., Any], left: list[Call]) -> Callable[..., Any]:
        def convolution(x: Any, weight: Any, *args: Any, **kwargs: Any) -> Any:
            wanted = _kernel(left.pop(0)) if left else None
            values = weight.numpy()
            if wanted is not None and wanted.shape == values.shape:
                wanted = wanted.astype(values.dtype)
                if not np.allclose(wanted, values, rtol=1e-6, atol=0):
                    some = wanted.ravel()[:4], values.ravel()[:4]
                    self.other.append(Kernel(values.shape, *some))
                    weight = paddle.to_tensor(wanted)
            return plain(x, weight, *args, **kwargs)

        return convolution


def _kernel(call: Call) -> np.ndarray:
    weight = call.args[1] if len(call.args) > 1 else call.kwargs["weight"]
    array: np.ndarray = weight.detach().cpu().numpy()
    return array
