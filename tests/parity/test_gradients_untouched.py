"""A backward check, failed or not, leaves both networks as they were."""

from __future__ import annotations

from typing import Any

import backward_toys as toys
import paddle
import pytest
import torch
from backward_toys import checked

from parity.record import NetworkError


class Broken(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, x: Any) -> Any:
        return x * 1

    @staticmethod
    def backward(_: Any, *__: Any) -> Any:
        raise RuntimeError("no way back")


class PaddleBroken(paddle.autograd.PyLayer):
    @staticmethod
    def forward(_: Any, x: Any) -> Any:
        return x * 1

    @staticmethod
    def backward(_: Any, __: Any) -> Any:
        raise RuntimeError("no way back")


@pytest.mark.parametrize("side", ["torch", "paddle"])
def test_an_error_in_a_backward_pass_is_told_and_leaves_the_networks_as_they_were(
    side: str,
) -> None:
    class One(toys.Cell):
        def forward(self, x: Any) -> Any:
            return super().forward(Broken.apply(x))

    class Two(toys.PaddleCell):
        def forward(self, x: Any) -> Any:
            return super().forward(PaddleBroken.apply(x))

    ours = One() if side == "torch" else toys.Cell()
    theirs = Two() if side == "paddle" else toys.PaddleCell()
    state = untouched(ours, theirs)
    with pytest.raises(NetworkError, match=f"{side} network stopped in its backward pass"):
        checked(ours, theirs)
    assert untouched(ours, theirs) == state


def untouched(ours: Any, theirs: Any) -> dict[str, Any]:
    """Give everything that a check has to leave as it was."""
    paddle_random = [bytes(str(state), "ascii") for state in paddle.get_rng_state()]
    return {
        "grads": [p.grad is None for p in (*ours.parameters(), *theirs.parameters())],
        "trains": [p.requires_grad for p in ours.parameters()]
        + [p.stop_gradient for p in theirs.parameters()],
        "training": [m.training for m in (*ours.modules(), *theirs.sublayers(include_self=True))],
        "values": [p.detach().numpy().tobytes() for p in ours.parameters()]
        + [p.numpy().tobytes() for p in theirs.state_dict().values()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in ours.modules()]
        + [len(x._forward_pre_hooks) + len(x._forward_post_hooks) for x in theirs.sublayers()],
        "random": (torch.get_rng_state().numpy().tobytes(), len(paddle_random)),
        "defaults": (torch.get_default_dtype(), paddle.get_default_dtype()),
        "enabled": (torch.is_grad_enabled(), paddle.is_grad_enabled()),
    }


def test_everything_is_as_it_was() -> None:
    ours, theirs = toys.torch_cell(), toys.PaddleCell()
    ours.left.eval()
    ours.stem.weight.grad = torch.ones_like(ours.stem.weight)
    theirs.mix.weight.stop_gradient = True
    before = untouched(ours, theirs)
    checked(ours, theirs)
    assert untouched(ours, theirs) == before
    assert bool((ours.stem.weight.grad == 1).all())
