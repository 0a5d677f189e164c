"""Whatever happens to a check, everything is as it was: networks, frameworks, generators."""

from __future__ import annotations

import random
import re
import threading
from contextlib import suppress
from typing import Any

import numpy as np
import paddle
import pytest
import torch
from function_toys import Paddle, Torch
from paddle import _C_ops as kernels

from parity import NetworkError, check_parity
from parity.backends.torch_exact import exact_gradients
from parity.inputs import seed_weights

X = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_forward_post_hooks")


def draws(side: Any) -> float:
    """Draw from every generator that a forward can reach, to no effect."""
    side.rand([2])
    return (random.random() + np.random.rand()) * 0.0  # noqa: NPY002, S311


class Trouble:
    """What goes wrong, and in which framework; nothing, unless it is set."""

    error: type[BaseException] | None = None
    where = ""

    @classmethod
    def meet(cls, where: str) -> None:
        if cls.error is not None and where == cls.where:
            raise cls.error("in the middle")


def torch_net() -> Torch:
    def body(m: Any, x: Any) -> Any:
        m.seen.add_(1)
        y = m.norm(m.first(x)) + draws(torch)
        Trouble.meet("torch")
        return m.last(m.act(y))

    net = Torch(body, first=torch.nn.Linear(4, 4), norm=torch.nn.BatchNorm1d(4),
                act=torch.nn.ReLU(inplace=True), last=torch.nn.Linear(4, 2))  # fmt: skip
    net.register_buffer("seen", torch.zeros((), dtype=torch.int64))
    seed_weights(net, 3)
    net.first.eval()
    net.last.bias.requires_grad_(False)
    net.first.weight.grad = torch.full((4, 4), 0.5)
    net.norm.register_forward_hook(lambda *_: Trouble.meet("torch hook"))
    return net


def paddle_net() -> Paddle:
    def body(m: Any, x: Any) -> Any:
        m.seen.add_(paddle.ones([], "int64"))
        y = m.norm(m.first(x)) + draws(paddle)
        Trouble.meet("paddle")
        return m.last(m.act(y))

    net = Paddle(body, first=paddle.nn.Linear(4, 4), norm=paddle.nn.BatchNorm1D(4),
                 act=paddle.nn.ReLU(), last=paddle.nn.Linear(4, 2))  # fmt: skip
    net.register_buffer("seen", paddle.zeros([], "int64"))
    net.first.eval()
    net.last.bias.stop_gradient = True
    net.norm(paddle.ones([2, 4])).sum().backward()
    net.norm.register_forward_post_hook(lambda *_: Trouble.meet("paddle hook"))
    return net


def of_tensor(tensor: Any) -> tuple[Any, ...]:
    frozen = getattr(tensor, "stop_gradient", None), getattr(tensor, "requires_grad", None)
    gradient = None if tensor.grad is None else tensor.grad.numpy().tolist()
    return id(tensor), str(tensor.dtype), frozen, gradient, tensor.detach().numpy().tobytes()


def of_torch(net: torch.nn.Module) -> list[Any]:
    named = [*net.named_parameters(), *net.named_buffers()]
    modules = [(n, m.training, sorted(vars(m)), hooks(m)) for n, m in net.named_modules()]
    return [(name, of_tensor(tensor)) for name, tensor in named] + modules


def of_paddle(net: paddle.nn.Layer) -> list[Any]:
    named = [*net.named_parameters(), *net.named_buffers()]
    layers = net.named_sublayers(include_self=True)
    modules = [(n, m.training, sorted(vars(m)), hooks(m)) for n, m in layers]
    return [(name, of_tensor(tensor)) for name, tensor in named] + modules


def hooks(module: Any) -> list[Any]:
    return [list(getattr(module, name, {}).values()) for name in HOOKS]


def of_the_process() -> list[Any]:
    numpy = np.random.get_state()  # noqa: NPY002
    cuda = torch.backends.cuda.matmul
    return [
        random.getstate(),
        (numpy[0], numpy[1].tolist(), *numpy[2:]),  # type: ignore[index, union-attr]
        torch.get_rng_state().tolist(),
        # Where the state lies in memory is not part of it.
        [re.sub("0x[0-9a-f]+", "", str(state)) for state in paddle.get_rng_state()],
        torch.get_default_dtype(),
        paddle.get_default_dtype(),
        torch.is_grad_enabled(),
        paddle.is_grad_enabled(),
        torch.backends.mha.get_fastpath_enabled(),
        getattr(cuda, "fp32_precision", None),
        threading.active_count(),
        {name: id(value) for name, value in vars(kernels).items()},
        paddle.Tensor.__pow__,
        torch.nn.functional.hardsigmoid,
        torch.nn.functional.celu,
    ]


def snapshot(ours: Any, theirs: Any) -> list[Any]:
    return [of_torch(ours), of_paddle(theirs), of_the_process()]


@pytest.fixture(scope="module")
def nets() -> tuple[Torch, Paddle]:
    return torch_net(), paddle_net()


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Any:
    def plan(error: type[BaseException], where: str, after: int) -> None:
        left = iter(range(after, -1, -1))

        def meet(cls: type[Trouble], at: str) -> None:
            if at == where and next(left, 0) == 0:
                raise error("in the middle")

        monkeypatch.setattr(Trouble, "meet", classmethod(meet))

    return plan


CHECKS = [
    {},
    {"isolation": "always"},
    {"checks": ("forward", "backward")},
    {"transfer": False, "precision": "float64"},
]


@pytest.mark.parametrize("options", CHECKS, ids=str)
def test_after_success(nets: Any, options: Any) -> None:
    before = snapshot(*nets)
    result = check_parity(*nets, X, **options)
    assert bool(result) is ("transfer" not in options), result.failures
    assert snapshot(*nets) == before


@pytest.mark.parametrize("options", CHECKS, ids=str)
@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("where", ["torch", "paddle", "torch hook", "paddle hook"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_after_an_end_in_the_middle(
    nets: Any, trouble: Any, error: type[BaseException], where: str, after: int, options: Any
) -> None:
    before = snapshot(*nets)
    trouble(error, where, after)
    expected = NetworkError if error is RuntimeError else error
    with pytest.raises(expected):
        check_parity(*nets, X, **options)
    assert snapshot(*nets) == before


def test_a_forward_that_swallows_everything_does_not_hold_up_the_end() -> None:
    def stubborn(m: Any, x: Any) -> Any:
        for _ in range(3):
            with suppress(BaseException):
                x = m.first(x)
        return x

    def broken(m: Any, x: Any) -> Any:
        m.first(x)
        raise RuntimeError("in the middle")

    threads = threading.active_count()
    ours = Torch(stubborn, first=torch.nn.Linear(4, 4))
    with pytest.raises(NetworkError, match="in the middle"):
        check_parity(ours, Paddle(broken, first=paddle.nn.Linear(4, 4)), X)
    assert threading.active_count() == threads


def test_a_forward_that_goes_on_after_a_childs_error_is_recorded_rightly() -> None:
    def body(m: Any, x: Any) -> Any:
        try:
            x = m.risky(x)
        except ValueError:
            x = m.safe(x)
        return x

    def risky(_: Any, x: Any) -> Any:
        raise ValueError("not this one")

    def safe(_: Any, x: Any) -> Any:
        return x * 2

    ours, theirs = (side(body, risky=side(risky), safe=side(safe)) for side in (Torch, Paddle))
    result = check_parity(ours, theirs, X, isolation="always")
    assert result, result.failures
    assert [layer.name for layer in result.layers] == ["safe", ""]


def test_the_snapshot_sees_what_it_is_there_to_see(nets: Any) -> None:
    """A state that is not put back would be noticed."""
    before = snapshot(*nets)
    np.random.rand()  # noqa: NPY002
    assert snapshot(*nets) != before
    np.random.seed(0)  # noqa: NPY002
    before = snapshot(*nets)
    with exact_gradients(lambda: lambda _: None):
        nets[1].last.train()
        nets[1].first.train()
        assert snapshot(*nets) != before
    nets[1].first.eval()
    assert snapshot(*nets) == before
