"""Nothing is equal by accident: NaN, infinities, zeros of either sign, subnormal values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import paddle
import pytest
import torch

from parity import ParityResult, check_parity
from parity.compare import tensor_error
from parity.precision import State, judge
from parity.report.terminal import as_text

VALUES = np.linspace(-1, 1, 12).reshape(3, 4)


def with_value(value: float, *places: tuple[int, int]) -> np.ndarray:
    made = VALUES.copy()
    for place in places:
        made[place] = value
    return made


def state(reference: np.ndarray, other: np.ndarray) -> tuple[State, str]:
    errors = [
        tensor_error(*(one.astype(name) for one in (reference, other)))
        for name in ("float32", "float64")
    ]
    verdict = judge(*errors)
    return verdict.state, verdict.reason


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_on_one_side_is_a_mismatch(bad: float) -> None:
    for pair in ((VALUES, with_value(bad, (1, 1))), (with_value(bad, (1, 1)), VALUES)):
        assert state(*pair)[0] is State.MISMATCH


@pytest.mark.parametrize(
    ("ours", "theirs"), [(np.inf, -np.inf), (np.nan, np.inf), (-np.inf, np.nan)]
)
def test_of_two_kinds_is_a_mismatch(ours: float, theirs: float) -> None:
    pair = with_value(ours, (1, 1)), with_value(theirs, (1, 1))
    assert state(*pair)[0] is State.MISMATCH


def test_at_two_places_is_a_mismatch() -> None:
    pair = with_value(np.nan, (1, 1)), with_value(np.nan, (1, 2))
    assert state(*pair)[0] is State.MISMATCH


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_at_the_same_places_on_both_sides_is_said(bad: float) -> None:
    made = with_value(bad, (1, 1), (2, 0))
    told = "2 values are NaN or infinite, alike on both sides"
    assert state(made, made.copy()) == (State.MATCH, told)
    assert state(made, made + 0.1)[0] is State.MISMATCH
    assert state(VALUES, VALUES.copy()) == (State.MATCH, "")


def test_nothing_finite_is_not_compared() -> None:
    none = np.full((2, 2), np.nan)
    assert state(none, none.copy())[0] is State.NOT_COMPARED


def test_what_rounds_says_it_too() -> None:
    single = tensor_error(*(with_value(np.nan, (1, 1)) + one for one in (0, 1e-4)))
    double = tensor_error(*(with_value(np.nan, (1, 1)) for _ in range(2)))
    verdict = judge(single, double)
    assert verdict.state is State.ROUNDING
    assert verdict.reason.endswith("1 values are NaN or infinite, alike on both sides")


class Layer(torch.nn.Module):
    def __init__(self, does: Callable[[Any], Any]) -> None:
        super().__init__()
        self.does = does

    def forward(self, x: torch.Tensor) -> Any:
        return self.does(x)


class PaddleLayer(paddle.nn.Layer):
    def __init__(self, does: Callable[[Any], Any]) -> None:
        super().__init__()
        self.does = does

    def forward(self, x: paddle.Tensor) -> Any:
        return self.does(x)


def checked(*layers: tuple[Callable[[Any], Any], Callable[[Any], Any]]) -> ParityResult:
    """Check layers after one another: what each computes in torch and in Paddle."""
    ours = torch.nn.Sequential(*(Layer(one) for one, _ in layers))
    theirs = paddle.nn.Sequential(*(PaddleLayer(two) for _, two in layers))
    return check_parity(ours, theirs, VALUES.astype(np.float32))


def same(does: Callable[[Any], Any]) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    return does, does


def test_a_layer_of_nothing_but_nan_does_not_pass_and_is_named() -> None:
    found = checked(same(lambda x: x + 1), same(lambda x: x * float("nan")))
    assert not found
    assert found.first_divergence is not None
    assert found.first_divergence.name == "1"
    assert found.first_divergence.state is State.NOT_COMPARED
    assert "nothing finite to compare" in as_text(found)


def test_layers_with_some_on_both_sides_pass_and_are_named() -> None:
    """However many others there are: it is told beside the layers with the largest errors."""
    found = checked(
        same(lambda x: x + 1), same(lambda x: 1 / (x - x[0, 0])), *[same(lambda x: x / 3)] * 8
    )
    assert found
    assert [layer.name for layer in found.layers if layer.not_finite] == [*"123456789", ""]
    assert "NaN or infinite, alike on both sides (10): 1 (1 values), 2 (1 values)" in as_text(found)


def test_zeros_of_either_sign_are_equal_until_their_sign_counts() -> None:
    """As numbers they are: Paddle's gradient of ReLU is full of −0 where torch's has 0."""
    found = checked((lambda x: x * 0.0, lambda x: x.abs() * 0.0))
    assert found
    found = checked((lambda x: x * 0.0, lambda x: x.abs() * 0.0), same(lambda x: 1 / x))
    assert not found
    failing = {layer.name: layer.reason for layer in found.layers if not layer.state.passes}
    assert failing.keys() == {"1", ""}
    assert "6 of 12 values not finite alike: -inf in torch, inf in paddle" in failing["1"]


@pytest.fixture
def flushing() -> Iterator[None]:
    """A processor that takes subnormal values for zero, as numpy then does as well."""
    torch.set_flush_denormal(True)  # not every processor can; then nothing is flushed
    yield
    torch.set_flush_denormal(False)


TINY = {"float32": b"\x01\x00\x00\x00", "float64": b"\x01" + bytes(7)}


@pytest.mark.parametrize("name", TINY)
@pytest.mark.usefixtures("flushing")
def test_subnormal_values_differ_even_where_they_are_flushed(name: str) -> None:
    one = np.frombuffer(TINY[name] * 4, name)
    two = np.frombuffer((b"\x05" + TINY[name][1:]) * 4, name)
    assert tensor_error(one, one).error == 0
    assert tensor_error(one, two).error == 4
    assert tensor_error(one, np.zeros(4, name)).error == 1
    complexes = (np.frombuffer(x.tobytes(), f"c{2 * one.itemsize}") for x in (one, two))
    assert tensor_error(*complexes).error == pytest.approx(4)


@pytest.mark.usefixtures("flushing")
def test_the_difference_of_normal_values_is_not_flushed() -> None:
    one, two = (np.full(4, value, np.float32) for value in (2e-38, 2.5e-38))
    assert tensor_error(one, two).error == pytest.approx(0.25, rel=1e-5)
