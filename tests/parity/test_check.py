"""Verdicts of `check_parity`: planted faults are found where they are, correct ports pass."""

from typing import Any

import numpy as np
import paddle
import parity_toys as toys
import pytest
import torch
from parity_toys import PaddlePlain, Plain, first

from parity import State, check_parity
from parity.pair import renamed


@pytest.mark.parametrize("scale", [1.0, 50.0, 1e-3])
def test_a_correct_port_passes_at_any_scale_of_input(scale: float) -> None:
    result = check_parity(toys.torch_model(), toys.paddle_model(), toys.images(scale))
    assert result, result.failures
    assert result.first_divergence is None
    assert {layer.name for layer in result.layers} >= {"", "block", "block.skip", "out"}
    assert [layer.call for layer in result.layers if layer.name == "block.skip"] == [0, 1]
    assert all(layer.error64 < 1e-13 for layer in result.layers)
    assert result.diagnosis == []


def test_the_pooling_that_leaves_the_padding_out_is_found_at_the_pool() -> None:
    result = check_parity(toys.torch_model(), toys.paddle_wrong_pool(), toys.images())
    assert first(result).name == "block.skip"
    assert first(result).state is State.MISMATCH


def test_a_wrong_epsilon_hides_within_the_float32_tolerance_but_not_from_float64() -> None:
    model, other = toys.torch_model(), toys.paddle_wrong_epsilon()
    found = first(check_parity(model, other, toys.images()))
    assert found.name == "block.bn"
    assert found.error32 < 1e-5
    assert "float64 disagrees" in found.reason
    assert check_parity(model, other, toys.images(), precision="float32")
    assert not check_parity(model, other, toys.images(), precision="float64")


def test_tiny_variances_do_not_make_the_epsilon_of_a_correct_port_a_difference() -> None:
    model = toys.torch_model()
    with torch.no_grad():
        model.block.bn.running_var.mul_(1e-6)
    result = check_parity(model, toys.paddle_model(), toys.images())
    assert result, result.failures
    norm = next(layer for layer in result.layers if layer.name == "block.bn")
    assert "float64 floor of batch normalisation's epsilon" in norm.reason
    assert first(check_parity(model, toys.paddle_wrong_epsilon(), toys.images())).name == "block.bn"


def test_a_swapped_concatenation_names_the_parent() -> None:
    found = first(check_parity(toys.torch_model(), toys.paddle_swapped(), toys.images()))
    assert found.name == "block"


class Cancelling(torch.nn.Module):
    """A float32 difference of large numbers: rounding, whatever the order of the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)

    def forward(self, x: Any) -> Any:
        out = self.fc(x)
        return (out + 3e5) - 3e5


class PaddleCancelling(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.fc = paddle.nn.Linear(3, 2)

    def forward(self, x: Any) -> Any:
        return self.fc(x) + (3e5 - 3e5)


def test_a_float32_difference_that_float64_does_not_share_is_rounding() -> None:
    x = np.array([[0.3, 0.7, -0.2]], np.float32)
    result = check_parity(Cancelling(), PaddleCancelling(), x, tol64=1e-9)
    assert result
    assert result.layers[-1].state is State.ROUNDING
    assert result.counts()["rounding"] == 1
    assert not check_parity(Cancelling(), PaddleCancelling(), x, precision="float32")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_not_finite_on_one_side_is_a_mismatch(value: float) -> None:
    ours, theirs = (
        Plain(lambda x: x),
        PaddlePlain(lambda x: x + paddle.full_like(x, value)),
    )
    found = first(check_parity(ours, theirs, toys.images()))
    assert found.state is State.MISMATCH
    assert "not finite alike" in found.reason


def test_nan_on_both_sides_is_not_compared_and_does_not_pass() -> None:
    broken = np.full((2, 3), np.nan, np.float32)
    found = first(check_parity(Plain(lambda x: x), PaddlePlain(lambda x: x + 0), broken))
    assert found.state is State.NOT_COMPARED


def test_another_shape_is_a_mismatch_that_says_so() -> None:
    ours, theirs = (
        Plain(lambda x: x.mean(1)),
        PaddlePlain(lambda x: x.mean(1, keepdim=True)),
    )
    found = first(check_parity(ours, theirs, toys.images()))
    assert "shape [2, 9, 7] in torch, [2, 1, 9, 7] in paddle" in found.reason


def test_outputs_that_one_side_lacks_are_a_mismatch() -> None:
    ours, theirs = (
        Plain(lambda x: {"a": x, "b": x}),
        PaddlePlain(lambda x: {"a": x, "c": x}),
    )
    found = first(check_parity(ours, theirs, toys.images()))
    assert "only torch returns it" in found.reason
    assert [tensor.slot for tensor in found.tensors] == ["a", "b", "c"]


def test_arg_max_compares_exactly() -> None:
    ours = Plain(lambda x: x.argmax(1))
    assert check_parity(ours, PaddlePlain(lambda x: x.argmax(1)), toys.images())
    assert not check_parity(ours, PaddlePlain(lambda x: x.argmin(1)), toys.images())


def test_a_network_that_returns_no_tensor_shows_nothing() -> None:
    result = check_parity(Plain(lambda _: "a"), PaddlePlain(lambda _: "a"), toys.images())
    assert not result
    assert result.layers[0].state is State.NOT_COMPARED


class Extra(toys.PaddleModel):
    def __init__(self) -> None:
        super().__init__()
        self.more = paddle.nn.Linear(3, 3)

    def forward(self, x: Any) -> Any:
        out = super().forward(x)
        self.more(out)
        return out


def test_a_layer_with_weights_and_no_partner_is_a_failure_with_lists() -> None:
    extra = Extra()
    result = check_parity(toys.torch_model(), extra, toys.images(), transfer=False)
    assert [call.path for call in result.paddle_only] == ["more"]
    assert "paddle layer more (Linear, call 0) has weights and no partner" in result.failures
    assert "weights were not compared with a conversion" in result.notes[0]


def test_what_the_converter_refuses_is_a_verdict_with_its_reasons() -> None:
    result = check_parity(toys.torch_model(), Extra(), toys.images())
    assert not result
    assert any("more.weight" in failure for failure in result.failures)
    assert result.first_divergence is None


def test_wrappers_and_functions_without_weights_need_no_partner() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))

    class Functional(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = paddle.nn.Linear(4, 4), paddle.nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return self.b(paddle.nn.functional.relu(self.a(x)))

    x = np.random.default_rng(2).standard_normal((3, 4)).astype(np.float32)
    result = check_parity(model, Functional(), x, rename={"0": "a", "2": "b"})
    assert result, result.failures
    assert [call.path for call in result.torch_only] == ["1"]
    assert check_parity(model, Functional(), x).assumed


def test_the_longest_whole_prefix_renames() -> None:
    names = {"a": "x", "a.b": "y", "c": ""}
    paths = ["a", "a.b", "a.b.d", "ab", "c.d", ""]
    assert [renamed(path, names) for path in paths] == ["x", "y", "y.d", "ab", "d", ""]
