from __future__ import annotations

import json
from typing import Any

import numpy as np
import paddle
import parity_toys as toys
import pytest
import torch

from parity import State, assert_parity, check_parity, weights
from parity.pair import renamed
from parity.record import NetworkError


def first(result: Any) -> Any:
    assert not result
    assert result.first_divergence is not None
    return result.first_divergence


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


class Plain(torch.nn.Module):
    def __init__(self, act: Any) -> None:
        super().__init__()
        self.act = act

    def forward(self, x: Any) -> Any:
        return self.act(x)


class PaddlePlain(paddle.nn.Layer):
    def __init__(self, act: Any) -> None:
        super().__init__()
        self.act = act

    def forward(self, x: Any) -> Any:
        return self.act(x)


F = torch.nn.functional
G = paddle.nn.functional


@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_a_resize_has_its_floor_named_and_what_follows_it_stays_strict(
    mode: str, corners: bool
) -> None:
    options = {"size": (23, 31), "mode": mode, "align_corners": corners}

    class Resize(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.after = torch.nn.BatchNorm2d(3)

        def forward(self, x: Any) -> Any:
            return self.after(F.interpolate(x, **options))

    class PaddleResize(paddle.nn.Layer):
        def __init__(self, epsilon: float = 1e-5, **changed: Any) -> None:
            super().__init__()
            self.after = paddle.nn.BatchNorm2D(3, epsilon=epsilon)
            self.changed = changed

        def forward(self, x: Any) -> Any:
            return self.after(G.interpolate(x, **options | self.changed))

    x = toys.images()
    result = check_parity(Resize(), PaddleResize(), x)
    assert result, result.failures
    assert f"float64 floor of {mode} resize" in result.layers[-1].reason
    assert all(layer.error64 < 1e-13 for layer in result.layers)
    assert first(check_parity(Resize(), PaddleResize(epsilon=1.1e-5), x)).name == "after"
    wrong = PaddleResize(align_corners=not corners)
    assert first(check_parity(Resize(), wrong, x)).name == ""


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (torch.nn.Hardsigmoid(), paddle.nn.Hardsigmoid()),
        (torch.nn.SELU(), paddle.nn.SELU()),
        (torch.nn.ELU(0.7), paddle.nn.ELU(0.7)),
        (torch.nn.CELU(0.7), paddle.nn.CELU(0.7)),
        (torch.nn.Hardtanh(-0.3, 0.3), paddle.nn.Hardtanh(-0.3, 0.3)),
        (torch.nn.Softshrink(0.3), paddle.nn.Softshrink(0.3)),
        (torch.nn.LayerNorm((9, 7)), paddle.nn.LayerNorm((9, 7), epsilon=1e-5)),
        (torch.nn.GroupNorm(3, 3), paddle.nn.GroupNorm(3, 3)),
        (
            torch.nn.InstanceNorm2d(3),
            paddle.nn.InstanceNorm2D(3, weight_attr=False, bias_attr=False),
        ),
    ],
)
def test_single_precision_kernels_are_no_differences(ours: Any, theirs: Any) -> None:
    result = check_parity(ours, theirs, toys.images(3e-3), tol=1e-4, transfer=False)
    assert [layer.state for layer in result.layers] == [State.MATCH], result.layers
    assert result.layers[0].error64 < 1e-12


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (torch.nn.ELU(0.7), paddle.nn.ELU(0.7001)),
        (torch.nn.Hardtanh(-0.3, 0.3), paddle.nn.Hardtanh(-0.3, 0.30001)),
        (torch.nn.LayerNorm((9, 7)), paddle.nn.LayerNorm((9, 7), epsilon=1.1e-5)),
    ],
)
def test_a_wrong_attribute_of_such_a_kernel_is_one(ours: Any, theirs: Any) -> None:
    assert not check_parity(ours, theirs, toys.images(), transfer=False)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_not_finite_on_one_side_is_a_mismatch(value: float) -> None:
    ours, theirs = Plain(lambda x: x), PaddlePlain(lambda x: x + paddle.full_like(x, value))
    found = first(check_parity(ours, theirs, toys.images()))
    assert found.state is State.MISMATCH
    assert "not finite alike" in found.reason


def test_nan_on_both_sides_is_not_compared_and_does_not_pass() -> None:
    broken = np.full((2, 3), np.nan, np.float32)
    found = first(check_parity(Plain(lambda x: x), PaddlePlain(lambda x: x + 0), broken))
    assert found.state is State.NOT_COMPARED


def test_another_shape_is_a_mismatch_that_says_so() -> None:
    ours, theirs = Plain(lambda x: x.mean(1)), PaddlePlain(lambda x: x.mean(1, keepdim=True))
    found = first(check_parity(ours, theirs, toys.images()))
    assert "shape [2, 9, 7] in torch, [2, 1, 9, 7] in paddle" in found.reason


def test_outputs_that_one_side_lacks_are_a_mismatch() -> None:
    ours, theirs = Plain(lambda x: {"a": x, "b": x}), PaddlePlain(lambda x: {"a": x, "c": x})
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
            return self.b(G.relu(self.a(x)))

    x = np.random.default_rng(2).standard_normal((3, 4)).astype(np.float32)
    result = check_parity(model, Functional(), x, rename={"0": "a", "2": "b"})
    assert result, result.failures
    assert [call.path for call in result.torch_only] == ["1"]
    assert check_parity(model, Functional(), x).assumed


def test_the_longest_whole_prefix_renames() -> None:
    names = {"a": "x", "a.b": "y", "c": ""}
    paths = ["a", "a.b", "a.b.d", "ab", "c.d", ""]
    assert [renamed(path, names) for path in paths] == ["x", "y", "y.d", "ab", "d", ""]


@pytest.mark.parametrize("fails", [False, True])
def test_the_networks_are_left_as_they_were(fails: bool) -> None:
    ours, theirs = toys.torch_model(), toys.paddle_model()
    ours.block.eval()
    theirs.block.eval()
    before = [{k: v.numpy().copy() for k, v in x.state_dict().items()} for x in (ours, theirs)]
    random = torch.get_rng_state()
    paddle.seed(11)
    drawn = paddle.rand([3]).numpy()
    paddle.seed(11)
    if fails:
        with pytest.raises(NetworkError):
            check_parity(ours, theirs, toys.images()[:, :2])
    else:
        assert check_parity(ours, theirs, toys.images())
    for network, values in zip((ours, theirs), before, strict=True):
        for key, value in network.state_dict().items():
            assert value.numpy().dtype == values[key].dtype
            np.testing.assert_array_equal(value.numpy(), values[key])
        assert (network.training, network.block.training) == (True, False)
    assert torch.equal(torch.get_rng_state(), random)
    np.testing.assert_array_equal(paddle.rand([3]).numpy(), drawn)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in ours.modules())
    layers = theirs.sublayers(include_self=True)
    assert not any(x._forward_post_hooks or x._forward_pre_hooks for x in layers)
    assert paddle.get_default_dtype() == "float32"


def test_the_double_copy_casts_floats_and_keeps_integers() -> None:
    from parity.backends.paddle_backend import PaddleBackend

    layer = toys.paddle_model()
    layer.register_buffer("index", paddle.arange(3))
    copy = PaddleBackend().copy_as(layer, "float64")
    kinds = {key: str(value.dtype) for key, value in copy.state_dict().items()}
    assert kinds.pop("index") == "paddle.int64"
    assert set(kinds.values()) == {"paddle.float64"}
    assert {str(p.dtype) for p in layer.parameters()} == {"paddle.float32"}


def test_somebodys_own_conversion_is_taken_as_it_stands() -> None:
    ours, theirs = toys.torch_model(), toys.paddle_model()
    right = weights.transfer(ours, theirs)
    weights.load(theirs, right)
    assert check_parity(ours, theirs, toys.images(), transfer=False)
    # A square matrix that was not transposed keeps its shape.
    weights.load(theirs, right | {"block.head.weight": right["block.head.weight"].T})
    result = check_parity(ours, theirs, toys.images(), transfer=False)
    assert first(result).name == "block.head"
    assert [difference.name for difference in result.weights] == ["block.head.weight"]
    assert "differs in" in result.weights[0].reason


def test_weights_that_do_not_fit_are_all_listed() -> None:
    layer = paddle.nn.Linear(2, 3)
    with pytest.raises(ValueError, match=r"bias is missing; more is unexpected; weight has shape"):
        weights.load(layer, {"weight": np.zeros((3, 2)), "more": np.zeros(1)})


def test_differences_are_bitwise() -> None:
    base = {"a": np.array([0.0, 1.0], np.float32), "b": np.zeros(2), "c": np.arange(3)}
    other = {"a": np.array([-0.0, 1.0], np.float32), "c": np.array([0, 1, 3]), "d": np.zeros(1)}
    found = {d.name: d.reason for d in weights.differences(base, other)}
    assert set(found) == {"a", "b", "c", "d"}
    assert found["b"] == "is missing"
    assert found["c"] == "differs in 1 of 3 values"
    assert weights.differences(base, dict(base)) == ()
    assert (
        "expected float64"
        in weights.differences({"x": np.zeros(1)}, {"x": np.zeros(1, "f4")})[0].reason
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checks": ("sideways",)}, "only forward, backward"),
        ({"checks": ()}, "only forward, backward"),
        ({"precision": "float16"}, "expected one of float32, float64, both"),
    ],
)
def test_what_does_not_exist_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_parity(toys.torch_model(), toys.paddle_model(), toys.images(), **options)


def test_the_assertion_says_where_and_how_far() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_parity(toys.torch_model(), toys.paddle_wrong_pool(), toys.images())
    text = str(caught.value)
    assert "PARITY DOES NOT HOLD" in text
    assert "first divergence: block.skip (AvgPool2d)\n  why     float64 disagrees" in text
    assert assert_parity(toys.torch_model(), toys.paddle_model(), torch.from_numpy(toys.images()))


def test_json_holds_plain_values_only() -> None:
    broken = PaddlePlain(lambda x: x / 0)
    for theirs in (broken, PaddlePlain(lambda x: x)):
        result = check_parity(Plain(lambda x: x), theirs, toys.images())
        text = json.dumps(result.to_json(), allow_nan=False)
        assert json.loads(text)["parity"] is bool(result)


def test_a_network_that_cannot_be_copied_is_refused() -> None:
    ours = torch.nn.Linear(2, 2)
    ours.derived = ours.weight * 2
    with pytest.raises(NetworkError, match=r"torch network cannot be copied as float32"):
        check_parity(ours, paddle.nn.Linear(2, 2), np.ones((1, 2), np.float32))


def test_a_network_of_the_wrong_framework_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a torch network, found a paddle one"):
        check_parity(toys.paddle_model(), toys.torch_model(), toys.images())
