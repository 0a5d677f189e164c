"""The backward check: every gradient has its verdict, and planted faults are caught."""

from __future__ import annotations

from typing import Any

import backward_toys as toys
import numpy as np
import paddle
import pytest
import torch

from parity import State, check_parity
from parity.inputs import random_input, seed_weights
from parity.record import NetworkError
from stdc_port import paddle_nets, torch_nets
from stdc_port.spec import ARCHS


def checked(ours: Any, theirs: Any, inputs: Any = None, **options: Any) -> Any:
    given = toys.images() if inputs is None else inputs
    return check_parity(ours, theirs, given, checks=("backward",), **options)


def backward(result: Any) -> dict[tuple[str, int], Any]:
    return {(x.name, x.call): x for x in result.layers if x.phase == "backward"}


def gradients(result: Any) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in result.gradients}


def test_a_correct_port_has_equal_gradients_everywhere() -> None:
    result = checked(toys.torch_cell(), toys.PaddleCell())
    assert result, result.failures
    calls = backward(result)
    assert set(calls) >= {("", 0), ("left", 0), ("mix", 0), ("mix", 1), ("stem", 0), ("act", 0)}
    names = {name for name, _ in toys.Cell().named_parameters() if not name.startswith("unused")}
    assert set(gradients(result)) == {"input 0", *names}
    assert max(tensor.error64 for tensor in result.gradients) < 1e-14
    assert max(layer.error64 for layer in calls.values()) < 1e-14
    assert result.checks == ("backward",)


def test_the_order_is_that_of_torchs_backward_pass() -> None:
    order = [name for name, _ in backward(checked(toys.torch_cell(), toys.PaddleCell()))]
    assert order.index("mix") < order.index("left") < order.index("act") < order.index("stem")


@pytest.mark.parametrize(
    "network",
    [toys.DetachedBranch, toys.MissingFactor, toys.WrongLayer, toys.FrozenLayer],
)
def test_a_fault_of_the_backward_pass_alone_is_caught(network: Any) -> None:
    ours, theirs = toys.torch_cell(), network()
    assert check_parity(ours, theirs, toys.images())
    result = checked(ours, theirs)
    assert not result
    assert result.failures


def test_a_straight_through_operation_that_is_none_is_caught() -> None:
    result = checked(toys.torch_cell(toys.RoundingCell), toys.NotStraightThrough())
    assert not result
    assert gradients(result)["scale"].state.passes
    found = gradients(result)["stem.weight"]
    assert found.state is State.MISMATCH
    assert all(layer.state.passes for layer in result.layers if layer.phase == "forward")


def test_a_wrong_epsilon_is_caught_in_the_gradients_too() -> None:
    result = checked(toys.torch_cell(), toys.WrongEpsilon())
    found = gradients(result)["norm.weight"]
    assert found.state is State.MISMATCH
    assert found.error32 < 1e-4
    assert gradients(result)["norm.bias"].name == "norm.bias"


def test_a_detached_branch_is_told_as_such() -> None:
    result = checked(toys.torch_cell(), toys.DetachedBranch())
    assert gradients(result)["right.weight"].state.passes
    assert gradients(result)["stem.weight"].state is State.MISMATCH
    assert backward(result)["act", 0].state is State.MISMATCH
    assert backward(result)["left", 0].state.passes


def test_a_frozen_parameter_is_told_as_such() -> None:
    found = gradients(checked(toys.torch_cell(), toys.FrozenLayer()))["left.weight"]
    assert found.state is State.MISMATCH
    assert "frozen in paddle, trained in torch" in found.reason


def test_what_both_freeze_is_listed_and_not_compared() -> None:
    ours = toys.torch_cell()
    ours.left.weight.requires_grad_(False)
    result = checked(ours, toys.FrozenLayer())
    assert result, result.failures
    assert "left.weight" not in gradients(result)
    assert any("frozen in both" in note and "left.weight" in note for note in result.notes)


def test_an_output_without_any_gradient_in_paddle() -> None:
    class Inference(toys.PaddleCell):
        @paddle.no_grad()
        def forward(self, x: Any) -> Any:
            return super().forward(x)

    result = checked(toys.torch_cell(), Inference())
    found = gradients(result)["stem.weight"]
    assert found.state is State.MISMATCH
    assert "no gradient reaches it in paddle" in found.reason


def test_nothing_to_compare_fails() -> None:
    class Constant(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.detach() * 2

    class PaddleConstant(paddle.nn.Layer):
        def forward(self, x: Any) -> Any:
            return x.detach() * 2

    result = checked(Constant(), PaddleConstant())
    assert "backward: nothing was compared" in result.failures


def test_the_scale_of_an_inplace_abn_takes_the_sign_of_its_weight() -> None:
    """The converter folds |w| + eps; by the chain rule torch's gradient has the sign of w."""
    ours = torch_nets.build("stdc1-seg", num_classes=3)
    seed_weights(ours, 5)
    signs = np.sign(ours.conv_out.conv.bn.weight.detach().numpy())
    assert {-1.0, 1.0} == set(signs)
    result = checked(
        ours, paddle_nets.build("stdc1-seg", num_classes=3), random_input((1, 3, 64, 64))
    )
    assert result, result.failures
    assert gradients(result)["conv_out.conv.bn.weight"].error64 < 1e-12


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Embedding(5, 4)
        self.last = torch.nn.Linear(4, 5, bias=False)
        self.last.weight = self.first.weight

    def forward(self, x: Any) -> Any:
        return self.last(torch.tanh(self.first(x)))


class PaddleUntied(paddle.nn.Layer):
    """The same values twice: the sum of both gradients is the tied one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = paddle.nn.Embedding(5, 4, sparse=True)
        self.last = paddle.nn.Linear(4, 5, bias_attr=False)

    def forward(self, x: Any) -> Any:
        return self.last(paddle.tanh(self.first(x)))


def test_tied_weights_and_a_sparse_embedding() -> None:
    result = checked(Tied(), PaddleUntied(), np.array([[1, 1, 4], [0, 1, 2]]))
    assert result, result.failures
    assert set(gradients(result)) == {"first.weight"}


class Attention(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attend = torch.nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.attend(x, x, x, need_weights=False)[0]


class PaddleAttention(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.attend = paddle.nn.MultiHeadAttention(8, 2)

    def forward(self, x: Any) -> Any:
        return self.attend(x, x, x)


def test_the_gradient_of_a_packed_weight_is_that_of_its_parts() -> None:
    x = np.random.default_rng(1).standard_normal((2, 5, 8)).astype(np.float32)
    result = checked(Attention(), PaddleAttention(), x)
    assert result, result.failures
    assert gradients(result)["attend.in_proj_weight"].shape == (24, 8)


class Biased(torch.nn.Module):
    """The keys' bias changes no attention: its gradient is zero but for rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return (self.query(x) @ self.key(x).transpose(1, 2)).softmax(-1)


class PaddleBiased(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = paddle.nn.Linear(4, 4), paddle.nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        scores = self.query(x) @ self.key(x).transpose([0, 2, 1])
        return paddle.nn.functional.softmax(scores, -1)


def test_a_gradient_that_is_zero_but_for_rounding_is_no_difference() -> None:
    x = np.random.default_rng(1).standard_normal((3, 6, 4)).astype(np.float32)
    result = checked(Biased(), PaddleBiased(), x)
    assert result, result.failures
    assert "zero but for rounding" in gradients(result)["key.bias"].reason


def test_in_place_activations_and_modules_that_return_their_input() -> None:
    ours = torch.nn.Sequential(
        torch.nn.Linear(4, 4), torch.nn.ReLU(inplace=True), torch.nn.Identity(),
        torch.nn.Dropout(0.5), torch.nn.Linear(4, 2),
    )  # fmt: skip
    theirs = paddle.nn.Sequential(
        paddle.nn.Linear(4, 4), paddle.nn.ReLU(), paddle.nn.Identity(),
        paddle.nn.Dropout(0.5), paddle.nn.Linear(4, 2),
    )  # fmt: skip
    x = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    result = checked(ours, theirs, x)
    assert result, result.failures
    assert len(backward(result)) == 6


def test_recurrent_networks() -> None:
    class Tagger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.LSTM(4, 5, 2, dropout=0.5, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.rnn(x)[0]

    class PaddleTagger(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = paddle.nn.LSTM(4, 5, 2, dropout=0.5)

        def forward(self, x: Any) -> Any:
            return self.rnn(x)[0]

    x = np.random.default_rng(3).standard_normal((2, 6, 4)).astype(np.float32)
    result = checked(Tagger(), PaddleTagger(), x)
    assert result, result.failures
    assert len(result.gradients) == 9


@pytest.mark.parametrize("arch", ARCHS)
def test_the_stdc_networks(arch: str) -> None:
    ours = torch_nets.build(arch, num_classes=7)
    seed_weights(ours, 4)
    theirs = paddle_nets.build(arch, num_classes=7)
    result = checked(ours, theirs, random_input((1, 3, 99, 150)))
    assert result, result.failures[:5]
    assert max(tensor.error64 for tensor in result.gradients) < 1e-13
    assert max(layer.error64 for layer in backward(result).values()) < 1e-13
    floors = {floor.operation for layer in result.layers for floor in layer.floors}
    assert "average pooling's gradient" in floors


def test_values_on_a_relus_kink_are_the_reason_that_is_given() -> None:
    """One value in front of the ReLU is zero in torch, and above zero by rounding in paddle."""

    class Sum(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.act = torch.nn.Linear(3, 2, bias=False), torch.nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.act((self.fc(x) + 3e5) - 3e5) * 2

    class PaddleSum(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.fc = paddle.nn.Linear(3, 2, bias_attr=False)
            self.act = paddle.nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.act(self.fc(x) + (3e5 - 3e5)) * 2

    ours = Sum()
    with torch.no_grad():
        ours.fc.weight.copy_(torch.tensor([[1e-3, 0, 0], [1, 1, 1]]))
    x = np.array([[1.0, 2.0, 3.0]], np.float32)
    result = checked(ours, PaddleSum(), x, tol64=1e-9)
    assert result, result.failures
    found = gradients(result)["fc.weight"]
    assert found.state is State.ROUNDING
    assert found.error32 > 0.5
    assert "1 near-zero value behind it" in found.reason
    assert "in torch itself" in found.reason
    assert "1 near-zero value behind it" in backward(result)["fc", 0].reason
    assert "near-zero" not in backward(result)["act", 0].reason


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
