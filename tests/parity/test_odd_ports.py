"""Correct ports that look unlike their originals pass, with a note; the same with a bug do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
import torch
from function_toys import Paddle, Torch

from parity import check_parity
from parity.inputs import random_input, seed_weights
from parity.losses import LossCase, Losses

t, p = torch.nn, paddle.nn
SEQUENCE, IMAGE = random_input((2, 6, 8), 5), random_input((2, 4, 9, 11), 6)


def give(layer: Any, weight: Any, bias: Any) -> None:
    layer.weight.set_value(np.ascontiguousarray(weight.detach().numpy()))
    layer.bias.set_value(np.ascontiguousarray(bias.detach().numpy()))


def joint(net: Any, x: Any) -> Any:
    parts = net.qkv(x)
    return attended(parts[..., :8], parts[..., 8:16], parts[..., 16:])


def split(net: Any, x: Any) -> Any:
    return attended(net.q(x), net.k(x), net.v(x))


def attended(query: Any, key: Any, value: Any) -> Any:
    framework = torch if isinstance(query, torch.Tensor) else p.functional
    return framework.softmax(query @ key.swapaxes(1, 2), -1) @ value


def split_pair(*bugs: str) -> tuple[Any, Any]:
    ours = Torch(joint, qkv=t.Linear(8, 24))
    theirs = Paddle(split, **{name: p.Linear(8, 8) for name in "qkv"})
    seed_weights(ours, 2)
    weights, biases = ours.qkv.weight.chunk(3), ours.qkv.bias.chunk(3)
    for name, weight, bias in zip("qkv", weights, biases, strict=True):
        give(theirs._sub_layers[name], weight if name in bugs else weight.T, bias)
    return ours, theirs


def joined_pair(*bugs: str) -> tuple[Any, Any]:
    ours = Torch(split, **{name: t.Linear(8, 8) for name in "qkv"})
    theirs = Paddle(joint, qkv=p.Linear(8, 24))
    seed_weights(ours, 2)
    parts = [getattr(ours, name) for name in ("qvk" if "order" in bugs else "qkv")]
    weight = torch.cat([part.weight for part in parts]).T
    give(theirs.qkv, weight, torch.cat([part.bias for part in parts]))
    return ours, theirs


def folded_pair(*bugs: str) -> tuple[Any, Any]:
    ours = Torch(lambda n, x: n.bn(n.conv(x)).relu(), conv=t.Conv2d(4, 4, 3), bn=t.BatchNorm2d(4))
    theirs = Paddle(lambda n, x: p.functional.relu(n.conv(x)), conv=p.Conv2D(4, 4, 3))
    seed_weights(ours, 2)
    ours, theirs = ours.double(), theirs.to(dtype="float64")
    conv, norm = ours.conv, ours.bn
    epsilon = norm.eps + (1e-6 if "epsilon" in bugs else 0)
    scale = norm.weight / (norm.running_var + epsilon).sqrt()
    shift = 0 if "mean" in bugs else norm.running_mean
    bias = (conv.bias - shift) * scale + norm.bias
    give(theirs.conv, conv.weight * scale[:, None, None, None], bias)
    return ours, theirs


def check(pair: tuple[Any, Any], inputs: Any, **options: Any) -> Any:
    return check_parity(*pair, inputs, checks=("forward", "backward"), **options)


REGROUPED = {
    "split": (split_pair, SEQUENCE, ("q", "k", "v")),
    "joined": (joined_pair, SEQUENCE, ("order",)),
    "folded": (folded_pair, IMAGE, ("epsilon", "mean")),
}


@pytest.mark.parametrize("name", REGROUPED)
def test_layers_cut_up_differently_pass_where_they_are_compared(name: str) -> None:
    pair, inputs, _ = REGROUPED[name]
    result = check(pair(), inputs, transfer=False)
    assert result, result.failures
    assert any("cut up differently" in note for note in result.notes)


@pytest.mark.parametrize(
    ("name", "bug"), [(name, bug) for name, (_, _, bugs) in REGROUPED.items() for bug in bugs]
)
def test_layers_cut_up_wrongly_fail(name: str, bug: str) -> None:
    pair, inputs, _ = REGROUPED[name]
    result = check(pair(bug), inputs, transfer=False)
    assert not result
    assert not any("cut up differently" in note for note in result.notes)


def test_a_layer_whose_result_nobody_uses_needs_a_partner() -> None:
    """Nothing that is compared depends on it, so nothing is said of it."""
    ours, theirs = split_pair()
    ours.idle = t.Linear(8, 8)
    ours.body = lambda n, x: (joint(n, x), n.idle(x))[0]
    result = check((ours, theirs), SEQUENCE, transfer=False)
    assert any("idle" in failure for failure in result.failures)


def test_float32_alone_does_not_tell_what_was_cut_up_right() -> None:
    result = check(split_pair(), SEQUENCE, transfer=False, precision="float32")
    assert not result


def in_place(slope: float) -> tuple[Any, Any]:
    ours = t.Sequential(t.Linear(8, 8), t.ReLU(inplace=True), t.Linear(8, 8), t.ELU(inplace=True))
    theirs = p.Sequential(p.Linear(8, 8), p.LeakyReLU(slope), p.Linear(8, 8), p.ELU())
    seed_weights(ours, 2)
    return ours, theirs


def test_gradients_of_what_is_changed_in_place_are_compared() -> None:
    """What a Linear makes of three axes is a view, which an in-place ReLU takes from the graph."""
    result = check(in_place(0.0), SEQUENCE)
    assert result, result.failures
    gradients = {layer.name for layer in result.layers if layer.phase == "backward"}
    assert {"0", "1", "2", "3"} <= gradients
    assert not check(in_place(1e-4), SEQUENCE)


def far_off(groups: int) -> tuple[Any, Any]:
    ours, theirs = t.GroupNorm(2, 4), p.GroupNorm(groups, 4)
    seed_weights(ours, 2)
    return ours, theirs


def test_a_group_norm_of_values_around_a_thousand_is_rounding_and_says_so() -> None:
    inputs = IMAGE + np.float32(1000)
    result = check(far_off(2), inputs)
    assert result, result.failures
    assert "group normalisation's variance" in str(result.layers[0].floors[0])
    assert not check(far_off(4), inputs)


def normed(dim: int) -> tuple[Any, Any]:
    weight_norm = t.utils.parametrizations.weight_norm
    ours = t.Sequential(weight_norm(t.Linear(8, 8, bias=False)), t.Tanh())
    theirs = p.Sequential(p.utils.weight_norm(p.Linear(8, 8, bias_attr=False), dim=dim), p.Tanh())
    seed_weights(ours, 2)
    return ours, theirs


def test_what_makes_a_weight_is_no_layer_of_its_own() -> None:
    result = check(normed(1), SEQUENCE)
    assert result, result.failures
    assert not check(normed(0), SEQUENCE)


def smoothed(share: float) -> Any:
    logits, labels = random_input((6, 5), 3), np.arange(6) % 5
    losses = Losses(
        lambda out, y: t.functional.cross_entropy(out, y, label_smoothing=0.1),
        lambda out, y: p.functional.cross_entropy(out, y, label_smoothing=share),
        [LossCase("labels", (logits,), (labels,))],
    )
    pair = t.Identity(), p.Identity()
    return check_parity(*pair, IMAGE, checks=("forward", "loss"), losses=losses)


def test_label_smoothing_agrees_in_double_precision() -> None:
    """Paddle's labels are float32 there, whatever the logits are."""
    result = smoothed(0.1)
    assert result, result.failures
    assert not smoothed(0.1000001)
