"""What a check asks of both networks, leaves as it found, and refuses."""

import json
from typing import Any

import numpy as np
import paddle
import parity_toys as toys
import pytest
import torch
from parity_toys import PaddlePlain, Plain, first

from parity import assert_parity, check_parity, weights
from parity.record import NetworkError


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
