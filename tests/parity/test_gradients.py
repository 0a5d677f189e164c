"""The backward check: every gradient has its verdict, and planted faults are caught."""

from __future__ import annotations

from typing import Any

import backward_toys as toys
import paddle
import pytest
import torch
from backward_toys import backward, checked, gradients

from parity import State, check_parity


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
