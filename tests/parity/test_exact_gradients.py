"""Float64 gradients of the two frameworks' functions, single-precision kernels replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
import pytest
import torch
from paddle import _C_ops as kernels

from parity.backends.paddle_exact import exact_kernels
from parity.backends.torch_exact import exact_gradients
from parity.compare import tensor_error
from parity.traps.tools import default_dtype

if TYPE_CHECKING:
    from parity.precision import Floor

F, G = torch.nn.functional, paddle.nn.functional
IMAGE = (2, 4, 9, 7)
EXACT = 1e-14
Function = "Callable[..., Any]"


def gradients(
    ours: Function, theirs: Function, arrays: list[np.ndarray]
) -> tuple[list[Any], list[Any]]:
    """Give result and gradients of both functions for one random cotangent."""
    a = [torch.from_numpy(x.copy()).requires_grad_() for x in arrays]
    b = [paddle.to_tensor(x.copy(), stop_gradient=False) for x in arrays]
    one, two = ours(*a), theirs(*b)
    cotangent = np.random.default_rng(9).standard_normal(tuple(one.shape))
    one.backward(torch.from_numpy(cotangent))
    two.backward(paddle.to_tensor(cotangent))
    return (
        [one.detach().numpy(), *(x.grad.numpy() for x in a)],
        [two.numpy(), *(x.grad.numpy() for x in b)],
    )


def worst(
    ours: Function, theirs: Function, *shapes: tuple[int, ...]
) -> tuple[float, dict[str, float]]:
    """Give the largest error with exact stand-ins, and the floors that they were told."""
    arrays = [np.random.default_rng([5, *s]).standard_normal(s) for s in (shapes or (IMAGE,))]
    floors: list[Floor] = []
    with exact_kernels(lambda: floors.append), exact_gradients(lambda: floors.append):
        errors = [
            tensor_error(x, y).error for x, y in zip(*gradients(ours, theirs, arrays), strict=True)
        ]
    assert None not in errors
    return max(errors), {floor.operation: floor.error for floor in floors}


def pair(name: str, *args: Any, paddles: str = "", **options: Any) -> tuple[Function, Function]:
    """Give a function that both frameworks have, with the same arguments."""
    ours, theirs = getattr(F, name), getattr(G, paddles or name)
    return (lambda *x: ours(*x, *args, **options), lambda *x: theirs(*x, *args, **options))


SINGLE = [
    ("hard sigmoid", *pair("hardsigmoid")),
    ("torch's gradient of hard sigmoid", *pair("hardsigmoid")),
    ("ELU", *pair("elu", 0.7)),
    ("CELU", *pair("celu", 0.7)),
    ("torch's gradient of CELU", *pair("celu", 0.7)),
    ("SELU", *pair("selu")),
    ("hard tanh", *pair("hardtanh", -0.3, 0.7)),
    ("soft shrink", *pair("softshrink", 0.3)),
    ("power's exponent", lambda x: (x.abs() + 0.1).pow(0.3), lambda x: (x.abs() + 0.1).pow(0.3)),
    (
        "average pooling's gradient",
        lambda x: F.avg_pool2d(x, 3, 2, 1),
        lambda x: G.avg_pool2d(x, 3, 2, 1, exclusive=False),
    ),
    (
        "average pooling's gradient",
        lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        lambda x: G.avg_pool2d(x, 3, 2, 1),
    ),
    (
        "average pooling's gradient",
        lambda x: F.avg_pool2d(x, (3, 5), (2, 1), (1, 2), ceil_mode=True, count_include_pad=False),
        lambda x: G.avg_pool2d(x, (3, 5), (2, 1), (1, 2), ceil_mode=True),
    ),
    ("average pooling's gradient", *pair("adaptive_avg_pool2d", 1)),
    ("average pooling's gradient", *pair("adaptive_avg_pool2d", (4, 3))),
    *(
        (f"{mode} resize", *pair("interpolate", (23, 31), mode=mode, align_corners=corners))
        for mode in ("bilinear", "bicubic")
        for corners in (True, False)
    ),
]


@pytest.mark.parametrize(("operation", "ours", "theirs"), SINGLE)
def test_a_single_precision_gradient_is_replaced_and_named(
    operation: str, ours: Function, theirs: Function
) -> None:
    error, floors = worst(ours, theirs)
    assert error < EXACT
    assert 1e-11 < floors[operation] < 5e-6


@pytest.mark.parametrize(
    ("ours", "theirs", "shapes"),
    [
        (*pair("relu"), (IMAGE,)),
        (*pair("gelu"), (IMAGE,)),
        (*pair("silu"), (IMAGE,)),
        (*pair("hardswish"), (IMAGE,)),
        (*pair("softplus"), (IMAGE,)),
        (*pair("max_pool2d", 3, 2, 1), (IMAGE,)),
        (*pair("conv2d", None, 2, 1), (IMAGE, (5, 4, 3, 3))),
        (lambda x, w: F.linear(x, w.T), G.linear, ((3, 6), (6, 5))),
        (
            lambda x, w, b: F.layer_norm(x, (7,), w, b),
            lambda x, w, b: G.layer_norm(x, (7,), w, b),
            (IMAGE, (7,), (7,)),
        ),
        (
            lambda x, w, b: F.group_norm(x, 2, w, b),
            lambda x, w, b: G.group_norm(x, 2, 1e-5, w, b),
            (IMAGE, (4,), (4,)),
        ),
        (
            lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
            lambda x, w, b: G.instance_norm(x, weight=w, bias=b),
            (IMAGE, (4,), (4,)),
        ),
    ],
)
def test_other_gradients_agree_in_double_precision(
    ours: Function, theirs: Function, shapes: Any
) -> None:
    assert worst(ours, theirs, *shapes)[0] < EXACT


@pytest.mark.parametrize("shape", [IMAGE, (5, 4, 1, 1), (6, 4)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_and_its_running_statistics(shape: tuple[int, ...], training: bool) -> None:
    stored = [np.random.default_rng(n).random(4) + 0.01 for n in (1, 2)]
    a = [torch.from_numpy(x.copy()) for x in stored]
    b = [paddle.to_tensor(x) for x in stored]
    error, floors = worst(
        lambda x, w, s: F.batch_norm(x, *a, w, s, training, 0.1),
        lambda x, w, s: G.batch_norm(x, *b, w, s, training, 0.9),
        shape,
        (4,),
        (4,),
    )
    assert error < EXACT * 10
    assert ("batch normalisation's momentum" in floors) == training
    mean = [x[0].numpy() for x in (a, b)]
    assert tensor_error(*mean).error < EXACT


def test_another_momentum_is_not_hidden_by_the_exact_statistics() -> None:
    stored = [paddle.zeros([4], "float64"), paddle.ones([4], "float64")]
    x = paddle.to_tensor(np.random.default_rng(1).standard_normal(IMAGE))
    with exact_kernels(lambda: lambda _: None):
        G.batch_norm(x, *stored, training=True, momentum=0.1)
    wanted = 0.9 * x.mean((0, 2, 3)).numpy()
    assert tensor_error(wanted, stored[0].numpy()).error < EXACT


def test_a_batch_of_one_value_a_channel_is_left_as_paddle_has_it() -> None:
    """Paddle's kernel returns its input then, far from what the formula gives."""
    x = paddle.to_tensor(np.random.default_rng(1).standard_normal((1, 4, 1, 1)))
    stored = [paddle.zeros([4], "float64"), paddle.ones([4], "float64")]
    with exact_kernels(lambda: lambda _: None):
        out = G.batch_norm(x, *stored, training=True)
    assert np.array_equal(out.numpy(), x.numpy())
    assert not stored[0].numpy().any()


def test_a_kernel_beyond_its_bound_is_left_to_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = kernels.elu
    monkeypatch.setattr(kernels, "elu", lambda x, alpha: real(x, alpha * 1.001))
    error, floors = worst(*pair("elu", 0.7))
    assert error > 1e-4
    assert "ELU" not in floors


def test_a_gradient_beyond_its_bound_is_left_to_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is right, the gradient a thousandth too large."""
    real = kernels.elu

    class Wrong(paddle.autograd.PyLayer):
        @staticmethod
        def forward(ctx: Any, x: Any, alpha: float) -> Any:
            ctx.save_for_backward(x)
            ctx.alpha = alpha
            return real(x, alpha)

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            (x,) = ctx.saved_tensor()
            return upstream * paddle.where(x > 0, 1.0, 1.001 * ctx.alpha * paddle.exp(x))

    monkeypatch.setattr(kernels, "elu", Wrong.apply)
    error, _ = worst(*pair("elu", 0.7))
    assert error > 1e-5


def test_a_momentum_step_is_exact_and_its_floor_named() -> None:
    start, slope = np.random.default_rng(3).standard_normal((2, 50))
    ours = torch.nn.Parameter(torch.from_numpy(start.copy()))
    theirs = paddle.to_tensor(start, stop_gradient=False)
    options = {"momentum": 0.9, "weight_decay": 5e-4}
    sgd = torch.optim.SGD([ours], lr=0.01, **options)
    floors: list[Floor] = []
    with default_dtype("float64"), exact_kernels(lambda: floors.append):
        other = paddle.optimizer.Momentum(0.01, parameters=[theirs], **options)
        for _ in range(4):
            ours.grad = torch.from_numpy(slope.copy())
            sgd.step()
            (theirs * paddle.to_tensor(slope)).sum().backward()
            other.step()
            other.clear_grad()
    assert tensor_error(ours.detach().numpy(), theirs.numpy()).error < EXACT
    assert "the momentum optimizer's factors" in {floor.operation for floor in floors}


def test_kernels_are_put_back() -> None:
    before = {name: getattr(kernels, name) for name in ("elu", "batch_norm", "momentum_", "pool2d")}
    with exact_kernels(lambda: lambda _: None):
        assert all(getattr(kernels, name) is not kernel for name, kernel in before.items())
    assert all(getattr(kernels, name) is kernel for name, kernel in before.items())
