"""Full-precision stand-ins for torch's few float64 gradients that are single precision inside.

Torch's results are double precision throughout, but the slope 1/6 of a hard sigmoid's gradient is
spelt as a float32, and so is 1/alpha in that of CELU. See `paddle_exact` for the reasons and the
rules, which are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from parity.compare import tensor_error
from parity.precision import TOLERANCE_FLOAT64, Floor

if TYPE_CHECKING:
    from collections.abc import Callable

    from parity.backends import Noting

#: Half of float32's precision, and some room.
BOUND = 1e-7


def _hardsigmoid(x: torch.Tensor) -> torch.Tensor:
    return (x / 6 + 0.5).clamp(0.0, 1.0)


def _celu(x: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
    # Clipped first: where x is large its exponential would be infinite, times 0 a NaN gradient.
    return torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0.0) / alpha))


EXACT: dict[Any, tuple[str, Callable[..., torch.Tensor]]] = {
    F.hardsigmoid: ("torch's gradient of hard sigmoid", _hardsigmoid),
    F.celu: ("torch's gradient of CELU", _celu),
    torch.celu: ("torch's gradient of CELU", _celu),
}


class _StandIn(torch.autograd.Function):
    """Passes torch's own result on, and the exact gradient back."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        function: Any,
        exact: Any,
        tell: Callable[[float], None],
    ) -> torch.Tensor:
        ctx.function, ctx.exact, ctx.tell = function, exact, tell
        ctx.save_for_backward(x)
        return function(x)

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> Any:
        own, exact = (
            _gradient(compute, ctx.saved_tensors[0], upstream[0])
            for compute in (ctx.function, ctx.exact)
        )
        error = tensor_error(exact.numpy(), own.numpy()).error
        if error is None or error > BOUND:
            return own, None, None, None
        ctx.tell(error)
        return exact, None, None, None


def _gradient(compute: Any, x: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        return torch.autograd.grad(compute(leaf), leaf, upstream)[0]


class exact_gradients(TorchFunctionMode):  # noqa: N801 - used as a context manager
    """Let exact gradients stand in for single-precision ones inside the context.

    Args:
        noting: See `paddle_exact.exact_kernels`.
    """

    def __init__(self, noting: Noting) -> None:
        super().__init__()
        self._noting = noting

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Give the result of one of torch's functions."""
        known, options = EXACT.get(func), dict(kwargs or {})
        x = args[0] if args else None
        if known is None or not _wants_exact_gradient(x) or options.pop("inplace", False):
            return func(*args, **(kwargs or {}))
        operation, exact = known
        note = self._noting()

        def tell(error: float) -> None:
            if error > TOLERANCE_FLOAT64:
                note(Floor(operation, error))

        return _StandIn.apply(
            x,
            lambda leaf: func(leaf, *args[1:], **options),
            lambda leaf: exact(leaf, *args[1:2], **options),
            tell,
        )


def _wants_exact_gradient(x: Any) -> bool:
    return (
        isinstance(x, torch.Tensor)
        and x.dtype == torch.float64
        and x.requires_grad
        and torch.is_grad_enabled()
    )
