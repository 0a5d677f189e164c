"""Rounding that a deep network amplifies is no fault; a small fault in the same network is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
import torch

from parity import State, check_parity
from parity.inputs import seed_weights

#: Deep enough for float64's last place to grow beyond the tolerance of 1e-11.
DEPTH, WIDTH, GAIN = 60, 32, 2.0
X = np.random.default_rng(0).standard_normal((3, WIDTH)).astype(np.float32)


class Affine(paddle.nn.Layer):
    """A norm's arithmetic, its epsilon to be got wrong."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x: Any) -> Any:
        return x / (1.0 + self.epsilon) ** 0.5


class TorchAffine(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x / (1.0 + 1e-5) ** 0.5


def chaotic() -> torch.nn.Module:
    layers = [
        f() for _ in range(DEPTH) for f in (lambda: torch.nn.Linear(WIDTH, WIDTH), torch.nn.Tanh)
    ]
    network = torch.nn.Sequential(*layers, TorchAffine())
    seed_weights(network, 5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(GAIN)
    return network


def port(epsilon: float = 1e-5, place: int | None = None, layer: Any = None) -> paddle.nn.Layer:
    layers = [
        f() for _ in range(DEPTH) for f in (lambda: paddle.nn.Linear(WIDTH, WIDTH), paddle.nn.Tanh)
    ]
    network = paddle.nn.Sequential(*layers, Affine(epsilon))
    if place is not None:
        network[place] = layer
    return network


@pytest.fixture(scope="module")
def right() -> Any:
    return check_parity(chaotic(), port(), X, checks=("forward", "backward"))


def test_a_correct_port_of_a_chaotic_network_passes_and_says_why(right: Any) -> None:
    assert right, right.failures
    beyond = [x for x in right.layers if x.phase == "forward" and x.error64 > 1e-9]
    assert beyond, "the network amplifies too little to tell anything"
    assert {layer.state for layer in beyond} == {State.ROUNDING}
    assert "amplified rounding: no call is off by more than" in beyond[-1].reason
    assert max(layer.own64 for layer in right.layers if layer.own64 is not None) < 1e-14


def test_its_gradients_are_held_against_torchs_own(right: Any) -> None:
    beyond = [g for g in right.gradients if g.error64 > 1e-11]
    assert beyond
    assert {g.state for g in beyond} == {State.ROUNDING}
    assert "amplified rounding" in beyond[0].reason


class NearlyTanh(paddle.nn.Layer):
    def forward(self, x: Any) -> Any:
        return paddle.tanh(x) * (1 + 1e-10)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"epsilon": 1e-3}, str(2 * DEPTH)),
        ({"epsilon": 1.1e-5}, str(2 * DEPTH)),
        ({"place": 3, "layer": NearlyTanh()}, "3"),
        ({"place": 2 * DEPTH - 1, "layer": NearlyTanh()}, str(2 * DEPTH - 1)),
    ],
)
def test_a_small_fault_in_it_is_found(wrong: dict[str, Any], name: str) -> None:
    result = check_parity(chaotic(), port(**wrong), X)
    assert not result
    assert [layer.name for layer in result.faulty] == [name]
    assert not any("amplified" in layer.reason for layer in result.layers)


def test_a_wrong_gradient_is_not_excused() -> None:
    class Detached(paddle.nn.Layer):
        def forward(self, x: Any) -> Any:
            return paddle.tanh(x.detach()) + (x - x.detach()) * 1e-3

    wrong = port(place=2 * DEPTH - 3, layer=Detached())
    result = check_parity(chaotic(), wrong, X, checks=("forward", "backward"))
    assert not result
    assert any(line.startswith("gradient of ") for line in result.failures)


def test_without_own_errors_nothing_is_excused() -> None:
    assert not check_parity(chaotic(), port(), X, isolation="never")
    assert not check_parity(chaotic(), port(), X, precision="float32")
