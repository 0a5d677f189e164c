"""What paddle's single-precision kernels should have computed: one row a kernel.

Each exact result is composed of paddle operations that are double precision throughout, so that
its gradient is exact, too.

Bounds: largest errors over random inputs and sizes with paddle 3.3.1 on a CPU, with some room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle

from parity.backends.axis import adaptive_weights, pool_weights, resize_weights

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Row:
    """One kernel.

    Attributes:
        kernel: Its name in `paddle._C_ops`.
        operation: Its name for people.
        bound: The relative float64 error, of its result and of its gradients, that its inner
            precision explains.
        exact: Gives the exact result from the kernel's own result and positional arguments, or
            None where it has nothing to say (another layout or mode).
        forward: Its result is off; if not, only its gradients are.
        single: Paddle gives it float32 tensors whatever the precision of the run.
    """

    kernel: str
    operation: str
    bound: float
    exact: Callable[..., paddle.Tensor | None]
    forward: bool = True
    single: bool = False


def along_axes(x: paddle.Tensor, weights: list[np.ndarray]) -> paddle.Tensor:
    """Multiply each axis behind batch and channels by its (out, size) matrix."""
    for axis, matrix in enumerate(weights, start=2):
        x = (x.moveaxis(axis, -1) @ paddle.to_tensor(matrix.T)).moveaxis(-1, axis)
    return x


def _resize(found: paddle.Tensor, x: paddle.Tensor, *args: Any) -> paddle.Tensor | None:
    _, _, _, layout, _, _, _, scales, method, align_corners, align_mode = args
    if not layout.startswith("NC"):
        return None
    factors = list(scales) or [0.0] * (x.ndim - 2)
    return along_axes(
        x,
        [
            resize_weights(
                size,
                out,
                scale=factor,
                align_corners=align_corners,
                half_pixel=align_mode == 0,
                cubic=method == "bicubic",
            )
            for size, out, factor in zip(x.shape[2:], found.shape[2:], factors, strict=True)
        ],
    )


def _average_pool(found: paddle.Tensor, x: paddle.Tensor, *args: Any) -> paddle.Tensor | None:
    kernel, stride, padding, _, exclusive, layout, method, whole, adaptive, algorithm = args
    axes = x.ndim - 2
    if method != "avg" or not layout.startswith("NC") or len(padding) != axes:
        return None
    if algorithm == "SAME":
        return None
    sizes = list(zip(x.shape[2:], found.shape[2:], strict=True))
    if adaptive or whole:
        return along_axes(x, [adaptive_weights(size, out) for size, out in sizes])
    return along_axes(
        x,
        [
            pool_weights(size, out, kernel=k, stride=s, padding=p, exclusive=exclusive)
            for (size, out), k, s, p in zip(sizes, kernel, stride, padding, strict=True)
        ],
    )


def _norm_pool(found: paddle.Tensor, x: paddle.Tensor, *args: Any) -> paddle.Tensor | None:
    kernel, stride, padding, _, _, layout, _, whole, adaptive, algorithm, order = args
    odd = whole or adaptive or algorithm == "SAME" or not np.isfinite(order)
    if odd or not layout.startswith("NC") or len(padding) != x.ndim - 2:
        return None
    sizes = zip(x.shape[2:], found.shape[2:], kernel, stride, padding, strict=True)
    sums = [
        (pool_weights(size, out, kernel=k, stride=s, padding=p, exclusive=False) > 0) * 1.0
        for size, out, k, s, p in sizes
    ]
    total = along_axes(x ** paddle.full([], order, "float64"), sums)
    return total ** paddle.full([], 1 / order, "float64")


def _hardsigmoid(_: Any, x: paddle.Tensor, slope: float, offset: float) -> paddle.Tensor:
    # Paddle's default slope is spelt 0.1666667 and means 1/6.
    return (x * (1 / 6 if abs(slope - 1 / 6) < 1e-6 else slope) + offset).clip(0.0, 1.0)


def _selu(_: Any, x: paddle.Tensor, scale: float, alpha: float) -> paddle.Tensor:
    return scale * _elu(_, x, alpha)


def _elu(_: Any, x: paddle.Tensor, alpha: float) -> paddle.Tensor:
    # Clipped first: where x is large its exponential would be infinite, times 0 a NaN gradient.
    return paddle.where(x > 0, x, alpha * paddle.expm1(x.clip(max=0.0)))


def _celu(_: Any, x: paddle.Tensor, alpha: float) -> paddle.Tensor:
    return paddle.where(x > 0, x, alpha * paddle.expm1(x.clip(max=0.0) / alpha))


def _hardtanh(_: Any, x: paddle.Tensor, low: float, high: float) -> paddle.Tensor:
    return x.clip(low, high)


def _softshrink(_: Any, x: paddle.Tensor, threshold: float) -> paddle.Tensor:
    return x - x.clip(-threshold, threshold)


def _rrelu(
    _: Any, x: paddle.Tensor, lower: float, upper: float, is_test: bool
) -> paddle.Tensor | None:
    return paddle.where(x < 0, x * ((lower + upper) / 2), x) if is_test else None


def _thresholded_relu(_: Any, x: paddle.Tensor, threshold: float, value: float) -> paddle.Tensor:
    return paddle.where(x > threshold, x, paddle.full_like(x, value))


def _power(_: Any, x: paddle.Tensor, exponent: float) -> paddle.Tensor | None:
    if isinstance(exponent, paddle.Tensor) or float(exponent).is_integer():
        return None
    return x ** paddle.full([], exponent, "float64")


def _norm(found: paddle.Tensor, x: paddle.Tensor, order: float, *args: Any) -> paddle.Tensor | None:
    axis, _, _, as_vector = args
    if order in (0.0, 1.0, 2.0) or not np.isfinite(order):
        return None
    powers = x.abs() ** paddle.full([], order, "float64")
    total = powers.sum() if as_vector else powers.sum(axis)
    return (total ** paddle.full([], 1 / order, "float64")).reshape(found.shape)


def _distance(_: Any, x: paddle.Tensor, y: paddle.Tensor, order: float) -> paddle.Tensor | None:
    if order in (0.0, 1.0, 2.0) or not np.isfinite(order):
        return None
    total = ((x - y).abs() ** paddle.full([], order, "float64")).sum()
    return total ** paddle.full([], 1 / order, "float64")


def _huber(_: Any, x: paddle.Tensor, label: paddle.Tensor, delta: float) -> paddle.Tensor:
    off = x - label
    near = off.clip(-delta, delta)
    # Where it is near, both are the same: half its square; elsewhere linear.
    return near * (off - near * 0.5)


def _scaled_tanh(_: Any, x: paddle.Tensor, inner: float, outer: float) -> paddle.Tensor:
    return outer * paddle.tanh(inner * x)


def _added_product(
    _: Any, x: paddle.Tensor, a: paddle.Tensor, b: paddle.Tensor, beta: float, alpha: float
) -> paddle.Tensor:
    return beta * x + alpha * (a @ b)


def _dropout(_: Any, x: paddle.Tensor, *args: Any) -> paddle.Tensor | None:
    _, rate, is_test, mode, *_ = args
    return x * (1 - rate) if is_test and mode == "downgrade_in_infer" else None


def _layer_norm(
    _: Any, x: paddle.Tensor, gain: Any, shift: Any, epsilon: float, first_axis: int
) -> paddle.Tensor:
    out = normalised(x, list(range(first_axis, x.ndim)), epsilon)
    # Paddle keeps LayerNorm's gain and shift flat, whatever axes they span.
    return affine(out, gain, shift, x.shape[first_axis:])


def _instance_norm(
    _: Any, x: paddle.Tensor, gain: Any, shift: Any, epsilon: float
) -> paddle.Tensor:
    out = normalised(x, list(range(2, x.ndim)), epsilon)
    return affine(out, gain, shift, [-1, *[1] * (x.ndim - 2)])


def _group_norm(
    _: Any, x: paddle.Tensor, gain: Any, shift: Any, epsilon: float, groups: int, layout: str
) -> paddle.Tensor | None:
    if not layout.startswith("NC"):
        return None
    grouped = x.reshape([x.shape[0], groups, -1])
    out = normalised(grouped, [2], epsilon).reshape(x.shape)
    return affine(out, gain, shift, [-1, *[1] * (x.ndim - 2)])


def _label_smooth(_: Any, labels: paddle.Tensor, prior: Any, epsilon: float) -> paddle.Tensor:
    uniform = 1.0 / labels.shape[-1] if prior is None else prior.astype("float64")
    return (1.0 - epsilon) * labels.astype("float64") + epsilon * uniform


def normalised(x: paddle.Tensor, axes: list[int], epsilon: float) -> paddle.Tensor:
    """Bring some axes to mean 0 and variance 1."""
    centred = x - x.mean(axes, keepdim=True)
    # Not x.var(), which mixes element types and says so on stderr.
    return centred / ((centred * centred).mean(axes, keepdim=True) + epsilon).sqrt()


def affine(x: paddle.Tensor, gain: Any, shift: Any, shape: list[int]) -> paddle.Tensor:
    """Multiply by a gain and add a shift, where there are any, in a shape that fits."""
    x = x if gain is None else x * gain.reshape(shape)
    return x if shift is None else x + shift.reshape(shape)


ROWS = (
    *(
        Row(f"{name}_interp", f"{name} resize", 5e-6, _resize)
        for name in ("linear", "bilinear", "trilinear", "bicubic")
    ),
    # Its gradients are multiplied by 1 / count in single precision.
    *(
        Row(name, "average pooling's gradient", 1e-7, _average_pool, forward=False)
        for name in ("pool2d", "pool3d")
    ),
    Row("hardsigmoid", "hard sigmoid", 5e-7, _hardsigmoid),
    Row("selu", "SELU", 1e-7, _selu),
    Row("elu", "ELU", 1e-7, _elu),
    Row("celu", "CELU", 1e-7, _celu),
    Row("hardtanh", "hard tanh", 1e-7, _hardtanh),
    Row("softshrink", "soft shrink", 1e-7, _softshrink),
    Row("rrelu", "randomised ReLU's slope", 1e-7, _rrelu),
    Row("thresholded_relu", "thresholded ReLU's value", 1e-7, _thresholded_relu),
    Row("pow", "power's exponent", 1e-6, _power),
    Row("p_norm", "norm's order", 1e-6, _norm),
    Row("lp_pool2d", "power-average pooling's order", 1e-6, _norm_pool),
    Row("dist", "distance's order", 1e-6, _distance),
    Row("huber_loss", "Huber loss's delta", 1e-6, _huber),
    Row("stanh", "scaled tanh", 1e-7, _scaled_tanh),
    *(Row(name, "matrix product's factors", 1e-6, _added_product) for name in ("addmm", "baddbmm")),
    Row("layer_norm", "layer normalisation's epsilon", 1e-7, _layer_norm),
    Row("instance_norm", "instance normalisation's epsilon", 1e-7, _instance_norm),
    # Its variance is E[x²] − E[x]²: of values around a thousand a tenth is left in float32.
    Row("group_norm", "group normalisation's variance", 1e-7, _group_norm),
    Row("label_smooth", "label smoothing's share", 1e-7, _label_smooth, single=True),
    Row("dropout", "dropout's scaling", 1e-7, _dropout),
)
