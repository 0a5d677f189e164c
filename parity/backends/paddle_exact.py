"""Full-precision stand-ins for paddle kernels that are single precision inside.

Some paddle kernels take float64 tensors yet keep an attribute in float32: the scale of a resize,
BN's epsilon, the slope of a hard sigmoid. Their float64 results are then off by 1e-9 to 5e-6, and
so is everything behind them. A looser float64 tolerance from there on would let real faults
through. Instead such a kernel's result is replaced, while a float64 run is compared, by the exact
one of the same arguments: every layer then has to meet the one strict tolerance, and the kernel's
own error is reported where it arose. The replacement happens only if the kernel is within the bound
of its row; a kernel that is further off than its precision explains is left to be found.

Bounds: largest errors over random inputs and sizes with paddle 3.3.1 on a CPU, with some room.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
from paddle import _C_ops as kernels

from parity.compare import tensor_error
from parity.precision import TOLERANCE_FLOAT64, Floor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Kernel = Callable[..., Any]
    Note = Callable[[Floor], None]


@dataclass(frozen=True)
class Row:
    """One kernel.

    Attributes:
        kernel: Its name in `paddle._C_ops`.
        operation: Its name for people.
        bound: The relative float64 error that its inner precision explains.
        exact: Gives the exact result from the kernel's positional arguments, or None where it
            has nothing to say (another layout or mode).
    """

    kernel: str
    operation: str
    bound: float
    exact: Callable[..., paddle.Tensor | None]


def axis_weights(
    size: int, out: int, *, scale: float, align_corners: bool, half_pixel: bool, cubic: bool
) -> np.ndarray:
    """Give the (out, size) matrix that resizes one axis.

    Args:
        size: Length before.
        out: Length after.
        scale: The factor that was asked for; 0 if a size was.
        align_corners: First and last samples stay in place.
        half_pixel: Without `align_corners`: samples sit in the middle of their cells.
        cubic: Four taps of the cubic kernel with a = -0.75 instead of two linear ones.
    """
    if align_corners:
        position = np.arange(out) * ((size - 1) / max(out - 1, 1))
    else:
        shift = 0.5 if half_pixel or cubic else 0.0
        position = (np.arange(out) + shift) * (1 / scale if scale > 0 else size / out) - shift
    position = position if cubic else np.maximum(position, 0.0)
    start = np.floor(position).astype(int)
    part = position - start
    weights = np.zeros((out, size))
    taps = _cubic_taps(part) if cubic else ((0, 1 - part), (1, part))
    for offset, weight in taps:
        np.add.at(weights, (np.arange(out), np.clip(start + offset, 0, size - 1)), weight)
    return weights


def _cubic_taps(part: np.ndarray) -> tuple[tuple[int, np.ndarray], ...]:
    a = -0.75
    near = [((a + 2) * t - (a + 3)) * t * t + 1 for t in (part, 1 - part)]
    far = [((a * t - 5 * a) * t + 8 * a) * t - 4 * a for t in (part + 1, 2 - part)]
    return (-1, far[0]), (0, near[0]), (1, near[1]), (2, far[1])


def _resize(x: paddle.Tensor, *args: Any, out_shape: tuple[int, ...]) -> paddle.Tensor | None:
    _, _, _, layout, _, _, _, scales, method, align_corners, align_mode = args
    if not layout.startswith("NC"):
        return None
    factors = list(scales) or [0.0] * (x.ndim - 2)
    for axis, factor in enumerate(factors, start=2):
        weights = axis_weights(
            x.shape[axis],
            out_shape[axis],
            scale=factor,
            align_corners=align_corners,
            half_pixel=align_mode == 0,
            cubic=method == "bicubic",
        )
        x = (x.moveaxis(axis, -1) @ paddle.to_tensor(weights.T)).moveaxis(-1, axis)
    return x


def _hardsigmoid(x: paddle.Tensor, slope: float, offset: float) -> paddle.Tensor:
    # Paddle's default slope is spelt 0.1666667 and means 1/6.
    return (x * (1 / 6 if abs(slope - 1 / 6) < 1e-6 else slope) + offset).clip(0.0, 1.0)


def _selu(x: paddle.Tensor, scale: float, alpha: float) -> paddle.Tensor:
    return scale * paddle.where(x > 0, x, alpha * paddle.expm1(x))


def _elu(x: paddle.Tensor, alpha: float) -> paddle.Tensor:
    return paddle.where(x > 0, x, alpha * paddle.expm1(x))


def _celu(x: paddle.Tensor, alpha: float) -> paddle.Tensor:
    return paddle.where(x > 0, x, alpha * paddle.expm1(x / alpha))


def _hardtanh(x: paddle.Tensor, low: float, high: float) -> paddle.Tensor:
    return x.clip(low, high)


def _softshrink(x: paddle.Tensor, threshold: float) -> paddle.Tensor:
    return x - x.clip(-threshold, threshold)


def _dropout(x: paddle.Tensor, *args: Any) -> paddle.Tensor | None:
    _, rate, is_test, mode, *_ = args
    return x * (1 - rate) if is_test and mode == "downgrade_in_infer" else None


def _layer_norm(
    x: paddle.Tensor, gain: Any, shift: Any, epsilon: float, first_axis: int
) -> paddle.Tensor:
    out = _normalised(x, list(range(first_axis, x.ndim)), epsilon)
    # Paddle keeps LayerNorm's gain and shift flat, whatever axes they span.
    shape = x.shape[first_axis:]
    return _affine(out, *(v if v is None else v.reshape(shape) for v in (gain, shift)))


def _instance_norm(x: paddle.Tensor, gain: Any, shift: Any, epsilon: float) -> paddle.Tensor:
    out = _normalised(x, list(range(2, x.ndim)), epsilon)
    shape = [-1, *[1] * (x.ndim - 2)]
    return _affine(out, *(v if v is None else v.reshape(shape) for v in (gain, shift)))


def _normalised(x: paddle.Tensor, axes: list[int], epsilon: float) -> paddle.Tensor:
    variance = x.var(axes, unbiased=False, keepdim=True)
    return (x - x.mean(axes, keepdim=True)) / (variance + epsilon).sqrt()


def _affine(x: paddle.Tensor, gain: Any, shift: Any) -> paddle.Tensor:
    x = x if gain is None else x * gain
    return x if shift is None else x + shift


ROWS = (
    *(
        Row(f"{name}_interp", f"{name} resize", 5e-6, _resize)
        for name in ("linear", "bilinear", "trilinear", "bicubic")
    ),
    Row("hardsigmoid", "hard sigmoid", 5e-7, _hardsigmoid),
    Row("selu", "SELU", 1e-7, _selu),
    Row("elu", "ELU", 1e-7, _elu),
    Row("celu", "CELU", 1e-7, _celu),
    Row("hardtanh", "hard tanh", 1e-7, _hardtanh),
    Row("softshrink", "soft shrink", 1e-7, _softshrink),
    Row("layer_norm", "layer normalisation's epsilon", 1e-7, _layer_norm),
    Row("instance_norm", "instance normalisation's epsilon", 1e-7, _instance_norm),
    Row("dropout", "dropout's scaling", 1e-7, _dropout),
)


def _exact_result(row: Row, found: paddle.Tensor, args: tuple[Any, ...]) -> paddle.Tensor | None:
    if found.dtype != paddle.float64:
        return None
    shape = {"out_shape": tuple(found.shape)} if row.exact is _resize else {}
    return row.exact(*args, **shape)


def _standing_in(kernel: Kernel, row: Row, note: Note) -> Kernel:
    def call(*args: Any, **kwargs: Any) -> Any:
        returned = kernel(*args, **kwargs)
        # Paddle 2.6 returns a mask or statistics along with the result.
        several = isinstance(returned, tuple | list)
        found = returned[0] if several else returned
        exact = _exact_result(row, found, args)
        if exact is None:
            return returned
        error = tensor_error(exact.numpy(), found.numpy()).error
        if error is None or error > row.bound:
            return returned
        if error > TOLERANCE_FLOAT64:
            note(Floor(row.operation, error))
        return (exact, *returned[1:]) if several else exact

    return call


def _rounding(epsilon: float) -> float:
    return epsilon - float(np.float32(epsilon))


def _rounds_epsilon(kernel: Kernel) -> bool:
    # Of one channel with mean and variance 0 the kernel makes 1 / √epsilon.
    one, zero = (paddle.full([1], value, "float64") for value in (1.0, 0.0))
    x = one.reshape([1, 1, 1, 1])
    found = kernel(x, zero, zero.clone(), one, zero, True, 0.9, 1e-5, "NCHW", True, False)[0]
    return abs(found.item() ** -2 - 1e-5) > abs(_rounding(1e-5)) / 2


def _batch_norm(kernel: Kernel, note: Note) -> Kernel:
    # The kernel computes variance + float32(epsilon); the variance can carry what is lost.
    def call(*args: Any, **kwargs: Any) -> Any:
        x, mean, variance, weight, bias, is_test, momentum, epsilon, *rest = args
        if not is_test or x.dtype != paddle.float64:
            return kernel(*args, **kwargs)
        error = abs(_rounding(epsilon)) / (2 * (variance.min().item() + epsilon))
        if error > TOLERANCE_FLOAT64:
            note(Floor("batch normalisation's epsilon", error))
        variance = variance + _rounding(epsilon)
        return kernel(x, mean, variance, weight, bias, is_test, momentum, epsilon, *rest, **kwargs)

    return call if _rounds_epsilon(kernel) else kernel


@contextmanager
def exact_kernels(note: Note) -> Iterator[None]:
    """Let exact results stand in for single-precision kernels inside the context.

    Args:
        note: Called with the operation and the kernel's own error where that exceeds the float64
            tolerance.
    """
    wrappers: dict[str, Callable[[Kernel], Kernel]] = {
        row.kernel: partial(_standing_in, row=row, note=note) for row in ROWS
    }
    wrappers["batch_norm"] = partial(_batch_norm, note=note)
    originals = {name: getattr(kernels, name) for name in wrappers if hasattr(kernels, name)}
    try:
        for name, kernel in originals.items():
            setattr(kernels, name, wrappers[name](kernel))
        yield
    finally:
        for name, kernel in originals.items():
            setattr(kernels, name, kernel)
