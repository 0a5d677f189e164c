"""Every activation and every norm that Paddle has, in float64 against torch.

Each agrees to 1e-11; where Paddle's own kernel does not, its floor is named and measured.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
import pytest
import torch
from function_toys import Paddle, Torch
from paddle.nn import functional as PF
from paddle.nn.layer import activation, norm
from torch.nn import functional as F

from parity import NetworkError, State, check_parity

if TYPE_CHECKING:
    from collections.abc import Callable

t, p = torch.nn, paddle.nn
IMAGE = (2, 4, 6, 5)


def power_iteration(weight: Any) -> Any:
    """What Paddle's SpectralNorm computes, from vectors of ones."""
    matrix = weight.reshape(weight.shape[0], -1)
    v = matrix.T @ torch.ones(matrix.shape[0], dtype=weight.dtype)
    v = v / (v.norm() + 1e-12)
    u = matrix @ v
    u = u / (u.norm() + 1e-12)
    return weight / (u @ matrix @ v)


def spectral_norm() -> Any:
    layer = p.SpectralNorm(IMAGE)
    for vector in (layer.weight_u, layer.weight_v):
        vector.set_value(np.ones(vector.shape, np.float32))
    return layer


#: Paddle's class, torch's counterpart, and the floor that is named, '' if none is needed.
LAYERS: dict[str, tuple[Callable[[], Any], Callable[[], Any], str]] = {
    "CELU": (lambda: p.CELU(0.7), lambda: t.CELU(0.7), "CELU"),
    "ELU": (lambda: p.ELU(0.7), lambda: t.ELU(0.7), "ELU"),
    "GELU": (p.GELU, t.GELU, ""),
    "GELU tanh": (lambda: p.GELU(True), lambda: t.GELU("tanh"), ""),
    "GLU": (lambda: p.GLU(1), lambda: t.GLU(1), ""),
    "Hardshrink": (lambda: p.Hardshrink(0.3), lambda: t.Hardshrink(0.3), ""),
    "Hardsigmoid": (p.Hardsigmoid, t.Hardsigmoid, "hard sigmoid"),
    "Hardswish": (p.Hardswish, t.Hardswish, ""),
    "Hardtanh": (lambda: p.Hardtanh(-0.3, 0.7), lambda: t.Hardtanh(-0.3, 0.7), "hard tanh"),
    "LeakyReLU": (lambda: p.LeakyReLU(0.1), lambda: t.LeakyReLU(0.1), ""),
    "LogSigmoid": (p.LogSigmoid, t.LogSigmoid, ""),
    "LogSoftmax": (lambda: p.LogSoftmax(1), lambda: t.LogSoftmax(1), ""),
    "Maxout": (
        lambda: p.Maxout(2),
        lambda: Torch(lambda _, x: x.reshape(2, 2, 2, 6, 5).amax(2)),
        "",
    ),
    "Mish": (p.Mish, t.Mish, ""),
    "PReLU": (lambda: p.PReLU(4, 0.3), lambda: t.PReLU(4, 0.3), ""),
    "RReLU": (lambda: p.RReLU(0.1, 0.3), lambda: t.RReLU(0.1, 0.3), "randomised ReLU's slope"),
    "ReLU": (p.ReLU, t.ReLU, ""),
    "ReLU6": (p.ReLU6, t.ReLU6, ""),
    "SELU": (p.SELU, t.SELU, "SELU"),
    "Sigmoid": (p.Sigmoid, t.Sigmoid, ""),
    "Silu": (p.Silu, t.SiLU, ""),
    "Softmax": (lambda: p.Softmax(1), lambda: t.Softmax(1), ""),
    "Softmax2D": (p.Softmax2D, t.Softmax2d, ""),
    "Softplus": (lambda: p.Softplus(0.7, 3.3), lambda: t.Softplus(0.7, 3.3), ""),
    "Softshrink": (lambda: p.Softshrink(0.3), lambda: t.Softshrink(0.3), "soft shrink"),
    "Softsign": (p.Softsign, t.Softsign, ""),
    "Swish": (p.Swish, t.SiLU, ""),
    "Tanh": (p.Tanh, t.Tanh, ""),
    "Tanhshrink": (p.Tanhshrink, t.Tanhshrink, ""),
    "ThresholdedReLU": (
        lambda: p.ThresholdedReLU(0.3, 0.7),
        lambda: t.Threshold(0.3, 0.7),
        "thresholded ReLU's value",
    ),
    "BatchNorm": (lambda: p.BatchNorm(4), lambda: t.BatchNorm2d(4), ""),
    "BatchNorm1D": (
        lambda: Paddle(lambda m, x: m.norm(x.flatten(2)), norm=p.BatchNorm1D(4, epsilon=1e-3)),
        lambda: Torch(lambda m, x: m.norm(x.flatten(2)), norm=t.BatchNorm1d(4, 1e-3)),
        "batch normalisation's epsilon",
    ),
    "BatchNorm2D": (
        lambda: p.BatchNorm2D(4, epsilon=1e-3),
        lambda: t.BatchNorm2d(4, 1e-3),
        "batch normalisation's epsilon",
    ),
    "BatchNorm3D": (
        lambda: Paddle(lambda m, x: m.norm(x.unsqueeze(2)), norm=p.BatchNorm3D(4, epsilon=1e-3)),
        lambda: Torch(lambda m, x: m.norm(x.unsqueeze(2)), norm=t.BatchNorm3d(4, 1e-3)),
        "batch normalisation's epsilon",
    ),
    "GroupNorm": (lambda: p.GroupNorm(2, 4, 1e-3), lambda: t.GroupNorm(2, 4, 1e-3), ""),
    "InstanceNorm1D": (
        lambda: Paddle(lambda m, x: m.norm(x.flatten(2)), norm=p.InstanceNorm1D(4, 1e-3)),
        lambda: Torch(lambda m, x: m.norm(x.flatten(2)), norm=t.InstanceNorm1d(4, 1e-3)),
        "instance normalisation's epsilon",
    ),
    "InstanceNorm2D": (
        lambda: p.InstanceNorm2D(4, 1e-3),
        lambda: t.InstanceNorm2d(4, 1e-3),
        "instance normalisation's epsilon",
    ),
    "InstanceNorm3D": (
        lambda: Paddle(lambda m, x: m.norm(x.unsqueeze(2)), norm=p.InstanceNorm3D(4, 1e-3)),
        lambda: Torch(lambda m, x: m.norm(x.unsqueeze(2)), norm=t.InstanceNorm3d(4, 1e-3)),
        "instance normalisation's epsilon",
    ),
    "LayerNorm": (
        lambda: p.LayerNorm(5, 1e-3),
        lambda: t.LayerNorm(5, 1e-3),
        "layer normalisation's epsilon",
    ),
    "LocalResponseNorm": (
        lambda: p.LocalResponseNorm(3, 0.2, 0.6, 1.3),
        lambda: t.LocalResponseNorm(3, 0.2, 0.6, 1.3),
        "power's exponent",
    ),
    "SpectralNorm": (spectral_norm, lambda: Torch(lambda _, x: power_iteration(x)), ""),
}
#: Has no kernel on a CPU.
ABSENT = {"SyncBatchNorm"}


def test_no_layer_is_left_out() -> None:
    found = {
        name
        for module in (activation, norm)
        for name, cls in vars(module).items()
        if inspect.isclass(cls) and issubclass(cls, paddle.nn.Layer)
        if cls.__module__ == module.__name__ and not name.startswith("_")
    }
    assert found == {name.partition(" ")[0] for name in LAYERS} | ABSENT


def check(theirs: Any, ours: Any, scale: float) -> Any:
    x = np.random.default_rng(0).standard_normal(IMAGE) * scale
    # Small inputs make an epsilon's last digits count; float32 alone cannot tell there.
    return check_parity(ours, theirs, x, transfer=False, precision="float64", isolation="never")


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_agrees_in_double_precision(name: str) -> None:
    theirs, ours, floor = LAYERS[name]
    floors = {}
    for scale in (2.0, 1e-2):
        result = check(theirs(), ours(), scale)
        assert result, result.failures
        assert result.layers[-1].error64 < 1e-11
        floors |= {one.operation: one.error for layer in result.layers for one in layer.floors}
    assert set(floors) == ({floor} if floor else set())
    assert all(1e-11 < error < 1e-6 for error in floors.values())


WRONG = {
    "RReLU": lambda: t.RReLU(0.1, 0.3001),
    "ThresholdedReLU": lambda: t.Threshold(0.3, 0.7001),
    "LeakyReLU": lambda: t.LeakyReLU(0.1001),
    "GroupNorm": lambda: t.GroupNorm(2, 4, 1.1e-3),
    "LocalResponseNorm": lambda: t.LocalResponseNorm(3, 0.2, 0.6001, 1.3),
    "InstanceNorm2D": lambda: t.InstanceNorm2d(4, 1.1e-3),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_setting_that_differs_a_little_is_seen(name: str) -> None:
    result = check(LAYERS[name][0](), WRONG[name](), 1.0)
    assert result.layers[-1].state is State.MISMATCH


def test_what_has_no_kernel_here_is_said_to_stop_the_run() -> None:
    with pytest.raises(NetworkError, match="the paddle network stopped in ''"):
        check(p.SyncBatchNorm(4), t.BatchNorm2d(4), 1.0)


OPERATIONS: dict[str, tuple[Any, Any, str]] = {
    "power": (lambda x: x.abs() ** 0.3, lambda x: x.abs() ** 0.3, "power's exponent"),
    "norm": (
        lambda x: torch.linalg.vector_norm(x, 3.5, 1),
        lambda x: paddle.linalg.vector_norm(x, 3.5, 1),
        "norm's order",
    ),
    "scaled tanh": (lambda x: 1.7159 * (0.67 * x).tanh(), paddle.stanh, "scaled tanh"),
    "product": (
        lambda x: torch.addmm(x[0, 0, :5], x[0, 0, :5], x[0, 0, :5], beta=0.3, alpha=0.7),
        lambda x: paddle.addmm(x[0, 0, :5], x[0, 0, :5], x[0, 0, :5], beta=0.3, alpha=0.7),
        "matrix product's factors",
    ),
    "power-average pool": (
        lambda x: F.lp_pool2d(x.abs() + 0.1, 1.7, (3, 2), (2, 1)),
        lambda x: PF.lp_pool2d(x.abs() + 0.1, 1.7, (3, 2), (2, 1)),
        "power-average pooling's order",
    ),
    "power-average pool of one axis": (
        lambda x: F.lp_pool1d(x[0], 2.0, 3, 2),
        lambda x: PF.lp_pool1d(x[0], 2.0, 3, 2),
        "power-average pooling's order",
    ),
    "distance": (
        lambda x: torch.dist(x, x.flip(0), 1.5),
        lambda x: paddle.dist(x, x.flip([0]), 1.5),
        "distance's order",
    ),
    "Huber loss": (
        lambda x: F.huber_loss(x, x.flip(0), delta=0.3),
        lambda x: PF.smooth_l1_loss(x, x.flip([0]), delta=0.3),
        "Huber loss's delta",
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_function_agrees_in_double_precision(name: str) -> None:
    ours, theirs, floor = OPERATIONS[name]
    result = check(Paddle(lambda _, x: theirs(x)), Torch(lambda _, x: ours(x)), 1.0)
    assert result, result.failures
    assert {one.operation for one in result.layers[-1].floors} == {floor}


@pytest.mark.parametrize("name", ["power-average pool", "distance", "Huber loss"])
def test_the_gradient_of_a_function_agrees_in_double_precision(name: str) -> None:
    ours, theirs, _ = OPERATIONS[name]
    x = np.random.default_rng(1).standard_normal(IMAGE)
    networks = Torch(lambda _, x: ours(x)), Paddle(lambda _, x: theirs(x))
    result = check_parity(*networks, x, precision="float64", checks=("backward",))
    assert result, result.failures
    assert result.gradients[0].error64 < 1e-14


def test_another_order_of_a_pooling_is_seen() -> None:
    ours = Torch(lambda _, x: F.lp_pool2d(x.abs() + 0.1, 1.70001, 3))
    theirs = Paddle(lambda _, x: PF.lp_pool2d(x.abs() + 0.1, 1.7, 3))
    assert check(theirs, ours, 1.0).layers[-1].state is State.MISMATCH


def test_the_power_operator_is_put_back() -> None:
    before = paddle.Tensor.__pow__
    check(p.ReLU(), t.ReLU(), 1.0)
    assert paddle.Tensor.__pow__ is before
    assert (paddle.full([2], 3, "int64") ** 2).tolist() == [9, 9]
