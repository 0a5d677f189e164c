"""One kernel at a time: its exact result passed on, and exact gradients passed back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paddle
from paddle.autograd import PyLayer

from parity.compare import tensor_error
from parity.precision import TOLERANCE_FLOAT64, Floor

if TYPE_CHECKING:
    from collections.abc import Callable

    from parity.backends.paddle_rows import Row

    Kernel = Callable[..., Any]
    Note = Callable[[Floor], None]
    Noting = Callable[[], Note]


@dataclass(frozen=True)
class _Call:
    """One call of a kernel that an exact result stands in for."""

    row: Row
    kernel: Kernel
    args: tuple[Any, ...]
    result: paddle.Tensor
    note: Note

    @property
    def places(self) -> list[int]:
        """Where among the arguments the tensors stand that want a gradient."""
        return [i for i, x in enumerate(self.args) if _is_tensor(x) and not x.stop_gradient]

    def gradients(self, upstream: paddle.Tensor) -> list[paddle.Tensor | None]:
        """Give the exact gradients, or the kernel's own where these are too far from them."""
        theirs = self._backward(lambda *args: first(self.kernel(*args)), upstream)
        ours = self._backward(lambda *args: self.row.exact(self.result, *args), upstream)
        error = largest_error(ours, theirs)
        if error is None or error > self.row.bound:
            return theirs
        if error > TOLERANCE_FLOAT64:
            self.note(Floor(self.row.operation, error))
        return ours

    def _backward(self, compute: Kernel, upstream: paddle.Tensor) -> list[paddle.Tensor | None]:
        args = list(self.args)
        for place in self.places:
            args[place] = args[place].detach()
            args[place].stop_gradient = False
        with paddle.enable_grad():
            paddle.autograd.backward([compute(*args)], [upstream])
        return [args[place].grad for place in self.places]


class _StandIn(PyLayer):
    """Passes an exact result on, and exact gradients back."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *_: paddle.Tensor) -> paddle.Tensor:
        ctx.call = call
        return call.result

    @staticmethod
    def backward(ctx: Any, upstream: paddle.Tensor) -> Any:
        found = ctx.call.gradients(upstream)
        return found[0] if len(found) == 1 else tuple(found)


def largest_error(
    ours: list[paddle.Tensor | None], theirs: list[paddle.Tensor | None]
) -> float | None:
    """Give the largest error among pairs of tensors; None if one of them cannot be had."""
    errors = [
        None if a is None or b is None else tensor_error(a.numpy(), b.numpy()).error
        for a, b in zip(ours, theirs, strict=True)
        if not (a is None and b is None)
    ]
    known = [error for error in errors if error is not None]
    return max(known, default=0.0) if len(known) == len(errors) else None


def _is_tensor(value: Any) -> bool:
    return isinstance(value, paddle.Tensor)


def first(returned: Any) -> paddle.Tensor:
    """Give a kernel's result, which some return along with a mask or statistics."""
    return returned[0] if isinstance(returned, tuple | list) else returned


def standing_in(kernel: Kernel, row: Row, noting: Noting) -> Kernel:
    """Wrap a kernel so that float64 calls give the exact result of its row.

    Args:
        kernel: Free of side effects.
        row: Its exact result, and how far the kernel may be from it.
        noting: Gives what is told of a floor in the call under way, now or in its backward pass.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        wanted = paddle.is_grad_enabled() and any(
            _is_tensor(x) and not x.stop_gradient for x in args
        )
        double = row.single or any(_is_tensor(x) and x.dtype == paddle.float64 for x in args)
        told = any(value is not None for value in kwargs.values())
        if told or not double or not (row.forward or wanted):
            return kernel(*args, **kwargs)
        with paddle.no_grad():
            returned = kernel(*args)
            exact = row.exact(first(returned), *args)
        error = None if exact is None else largest_error([exact], [first(returned)])
        if exact is None or error is None or error > row.bound:
            return kernel(*args)
        note = noting()
        if error > TOLERANCE_FLOAT64:
            note(Floor(row.operation, error))
        if wanted:
            traced = _Call(row, kernel, args, exact, note)
            exact = _StandIn.apply(traced, *(args[place] for place in traced.places))
        # Paddle 2.6 returns a mask or statistics along with the result.
        return (exact, *returned[1:]) if isinstance(returned, tuple | list) else exact

    return call
