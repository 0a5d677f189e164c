"""Full-precision stand-ins for paddle kernels that are single precision inside.

Some paddle kernels take float64 tensors yet keep an attribute in float32: the scale of a resize,
BN's epsilon, the slope of a hard sigmoid. Their float64 results, or their gradients, are then off
by 1e-9 to 5e-6, and so is everything behind them. A looser float64 tolerance from there on would
let real faults through. Instead such a kernel's result is replaced, while a float64 run is
compared, by the exact one of the same arguments: every layer then has to meet the one strict
tolerance, and the kernel's own error is reported where it arose. The replacement happens only if
the kernel is within the bound of its row; a kernel that is further off than its precision explains
is left to be found. All this holds of gradients as well.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import paddle
from paddle import _C_ops as kernels

from parity.backends.paddle_rows import ROWS
from parity.backends.paddle_stand_in import standing_in
from parity.backends.paddle_state import STATEFUL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from parity.backends.paddle_stand_in import Noting


@contextmanager
def exact_kernels(noting: Noting) -> Iterator[None]:
    """Let exact results stand in for single-precision kernels inside the context.

    Args:
        noting: Asked at each call of such a kernel; what it gives is told the operation and the
            kernel's own error where that exceeds the float64 tolerance, in the call or later in
            its backward pass.
    """
    wrappers = {row.kernel: partial(standing_in, row=row, noting=noting) for row in ROWS}
    wrappers |= {name: partial(wrap, noting=noting) for name, wrap in STATEFUL.items()}
    originals = {name: getattr(kernels, name) for name in wrappers if hasattr(kernels, name)}
    power = paddle.Tensor.__pow__
    try:
        for name, kernel in originals.items():
            setattr(kernels, name, wrappers[name](kernel))
        paddle.Tensor.__pow__ = _through_kernel(power)
        yield
    finally:
        paddle.Tensor.__pow__ = power
        for name, kernel in originals.items():
            setattr(kernels, name, kernel)


def _through_kernel(power: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Let the operator ** call the kernel where a stand-in can be put; by itself it does not."""

    def call(x: Any, exponent: Any) -> Any:
        double = isinstance(exponent, float) and x.dtype == paddle.float64
        return paddle.pow(x, exponent) if double else power(x, exponent)

    return call
