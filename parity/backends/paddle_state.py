"""Stand-ins for kernels that also change a tensor in place: batch normalisation, an optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import paddle

from parity.backends.paddle_rows import Row, affine, normalised
from parity.backends.paddle_stand_in import largest_error, standing_in
from parity.precision import TOLERANCE_FLOAT64, Floor

if TYPE_CHECKING:
    from collections.abc import Callable

    from parity.backends.paddle_stand_in import Kernel, Note, Noting

#: A momentum is rounded to float32 (3e-8); a difference of large values may stand behind it.
STATE_BOUND = 1e-6


def _rounding(value: float) -> float:
    return value - float(np.float32(value))


def _rounds_epsilon(kernel: Kernel) -> bool:
    # Of one channel with mean and variance 0 the kernel makes 1 / √epsilon.
    one, zero = (paddle.full([1], value, "float64") for value in (1.0, 0.0))
    x = one.reshape([1, 1, 1, 1])
    found = kernel(x, zero, zero.clone(), one, zero, True, 0.9, 1e-5, "NCHW", True, False)[0]
    return abs(found.item() ** -2 - 1e-5) > abs(_rounding(1e-5)) / 2


def _axes(x: paddle.Tensor) -> list[int]:
    return [axis for axis in range(x.ndim) if axis != 1]


def _trained_norm(
    _: Any, x: paddle.Tensor, __: Any, ___: Any, gain: Any, shift: Any, *rest: Any
) -> paddle.Tensor | None:
    _, _, epsilon, layout, *_ = rest
    if not layout.startswith("NC"):
        return None
    return affine(normalised(x, _axes(x), epsilon), gain, shift, [1, -1, *[1] * (x.ndim - 2)])


TRAINED_NORM = Row("batch_norm", "batch normalisation's epsilon", 1e-7, _trained_norm)


def batch_norm(kernel: Kernel, noting: Noting) -> Kernel:
    """Give exact results of batch normalisation, and exact running statistics."""
    if not _rounds_epsilon(kernel):
        return kernel

    def private(x: Any, mean: Any, variance: Any, *rest: Any) -> Any:
        return kernel(x, mean.clone(), variance.clone(), *rest)

    trained = standing_in(private, TRAINED_NORM, noting)

    def call(*args: Any, **kwargs: Any) -> Any:
        x, mean, variance, _, _, is_test, momentum, epsilon, layout, stored, *_ = args
        if x.dtype != paddle.float64 or kwargs:
            return kernel(*args, **kwargs)
        if is_test or stored:
            # The kernel computes variance + float32(epsilon); the variance can carry the rest.
            error = abs(_rounding(epsilon)) / (2 * (variance.min().item() + epsilon))
            if error > TOLERANCE_FLOAT64:
                noting()(Floor(TRAINED_NORM.operation, error))
            return kernel(x, mean, variance + _rounding(epsilon), *args[3:])
        returned = trained(*args)
        if layout.startswith("NC"):
            for place, old, new in zip((1, 2), (mean, variance), _moments(x), strict=True):
                wanted = momentum * old + (1 - momentum) * new
                _replace(old, wanted, returned[place], "batch normalisation's momentum", noting())
        else:
            mean.set_value(returned[1])
            variance.set_value(returned[2])
        return returned

    return call


def _moments(x: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
    with paddle.no_grad():
        centred = x - x.mean(_axes(x), keepdim=True)
        return x.mean(_axes(x)), (centred * centred).mean(_axes(x))


def momentum(kernel: Kernel, noting: Noting) -> Kernel:
    """Give exact steps of SGD with momentum."""

    def call(*args: Any, **kwargs: Any) -> Any:
        parameter, gradient, velocity, rate, master, mu, nesterov, decay, share, *rest = args
        if parameter.dtype != paddle.float64 or master is not None or kwargs:
            return kernel(*args, **kwargs)
        with paddle.no_grad():
            theirs = kernel(parameter.clone(), gradient, velocity.clone(), *args[3:])
            slope = gradient * rest[-1]
            slope = slope + share * parameter if decay == "l2_decay" else slope
            moved = mu * velocity + slope
            step = slope + mu * moved if nesterov else moved
            name, note = "the momentum optimizer's factors", noting()
            _replace(parameter, parameter - rate * step, theirs[0], name, note)
            _replace(velocity, moved, theirs[1], name, note)
        return (parameter, velocity, *theirs[2:])

    return call


def _replace(
    tensor: paddle.Tensor, wanted: paddle.Tensor, found: paddle.Tensor, name: str, note: Note
) -> None:
    """Change a tensor in place to the exact values, or to the kernel's where these are far off."""
    error = largest_error([wanted], [found])
    if error is None or error > STATE_BOUND:
        tensor.set_value(found)
        return
    if error > TOLERANCE_FLOAT64:
        note(Floor(name, error))
    tensor.set_value(wanted)


STATEFUL: dict[str, Callable[..., Kernel]] = {
    "batch_norm": batch_norm,
    "momentum_": momentum,
}
