"""Gradients from torch's gradients behind them: each fault of a backward pass by itself."""

from __future__ import annotations

from typing import Any

import backward_toys as toys
import paddle
import torch

from parity import State, check_parity
from parity.inputs import random_input, seed_weights
from parity.report.terminal import as_text


class Torch(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three, self.four = (torch.nn.Conv2d(3, 3, 1) for _ in range(4))

    def forward(self, x: Any) -> Any:
        return self.four(self.three(torch.relu(self.two(torch.tanh(self.one(x))))))


class Paddle(paddle.nn.Layer):
    def __init__(self, factor: float = 1.0, other: float = 1.0) -> None:
        super().__init__()
        self.one, self.two, self.three, self.four = (paddle.nn.Conv2D(3, 3, 1) for _ in range(4))
        self.factor, self.other = factor, other

    def forward(self, x: Any) -> Any:
        x = toys.Scaled.apply(self.one(x), self.factor)
        x = paddle.nn.functional.relu(self.two(paddle.tanh(x)))
        return self.four(toys.Scaled.apply(self.three(x), self.other))


def checked(theirs: Any, **options: Any) -> Any:
    ours = Torch()
    seed_weights(ours, 1)
    return check_parity(ours, theirs, random_input((2, 3, 5, 4)), checks=("backward",), **options)


def alone(result: Any) -> list[str]:
    layers = [x.name for x in result.layers if x.phase == "backward" and x.own_state is not None]
    wrong = [
        x.name for x in result.layers if x.phase == "backward" and x.own_state is State.MISMATCH
    ]
    assert len(layers) == 5
    return wrong


def test_a_fault_is_told_from_what_inherits_it() -> None:
    result = checked(Paddle(other=0.9))
    assert not result
    failing = {x.name for x in result.layers if not x.state.passes}
    assert failing == {"three", "two", "one"}
    assert alone(result) == ["three"]
    assert result.first_divergence.name == "three"
    inherited = next(g for g in result.gradients if g.name == "one.weight")
    assert inherited.state is State.MISMATCH
    assert inherited.own64 < 1e-13 < inherited.error64
    assert " own " in as_text(result)


def test_all_faults_are_found_at_once() -> None:
    result = checked(Paddle(factor=1.001, other=0.9))
    assert alone(result) == ["three", "one"]
    own = next(x for x in result.layers if x.phase == "backward" and x.name == "one")
    assert 9e-4 < own.own64 < 1.1e-3


def test_faults_that_cancel_each_other_are_found() -> None:
    result = checked(Paddle(factor=0.5, other=2.0))
    gradients = {g.name: g for g in result.gradients}
    assert gradients["one.weight"].state.passes
    assert gradients["two.weight"].state is State.MISMATCH
    assert alone(result) == ["three", "one"]


def test_a_parameters_gradient_wrong_by_itself() -> None:
    class Halved(paddle.nn.Conv2D):
        def forward(self, x: Any) -> Any:
            return paddle.nn.functional.conv2d(x, toys.Scaled.apply(self.weight, 0.5), self.bias)

    theirs = Paddle()
    theirs.two = Halved(3, 3, 1)
    result = checked(theirs)
    wrong = {g.name for g in result.gradients if g.own_state is State.MISMATCH}
    assert wrong == {"two.weight"}
    assert alone(result) == []


def test_a_correct_port_is_run_once_unless_asked() -> None:
    assert all(x.own_state is None for x in checked(Paddle()).gradients)
    asked = checked(Paddle(), isolation="always")
    assert asked
    assert {x.own_state for x in asked.gradients} == {State.MATCH}
    assert alone(asked) == []
    assert all(x.own_state is None for x in checked(Paddle(other=0.9), isolation="never").gradients)
