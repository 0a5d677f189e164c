"""Every kind of layer: converted, both compute the same in float64, and the way back is exact."""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import paddle
import pytest
import torch
from layer_pairs import KINDS, Pair, flat
from samples import bits, generator

from converters import convert_state_dict
from converters.user_rules import UserRules

Break = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]

TOLERANCE = 1e-9
# Kinds whose Paddle kernels are not double precision throughout, with the largest error seen.
FLOORS: dict[str, tuple[float, str]] = {
    "local_response_norm": (2e-7, "paddle.scale keeps alpha and k in single precision"),
}
SEEDS = range(4)


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    before = paddle.get_default_dtype()
    paddle.set_default_dtype("float64")
    yield
    paddle.set_default_dtype(before)


def make(kind: str, seed: int, *, square: bool = False) -> Pair:
    """Build both layers; torch's hold values as training leaves them, another seed per tensor."""
    random = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    pair = KINDS[kind](random, square)
    for network in (pair.torch.double(), pair.paddle):
        network.train() if pair.training else network.eval()
    with torch.no_grad():
        for key, tensor in [*pair.torch.named_parameters(), *pair.torch.named_buffers()]:
            random = generator(seed, key)
            if key.endswith("num_batches_tracked"):
                tensor.fill_(int(random.integers(1, 1000)))
            elif key.endswith("running_var"):
                tensor.copy_(torch.from_numpy(random.uniform(0.3, 2.0, tensor.shape)))
            else:
                tensor.copy_(torch.from_numpy(np.asarray(random.normal(0.1, 0.5, tensor.shape))))
    return pair


def rules_of(pair: Pair) -> UserRules | None:
    """Return what only the user can say: how square tensors lie, and norms along odd axes."""
    own = {".*": "parameter"} if pair.torch.state_dict() else {}
    return UserRules.of(tensors={**pair.tensors, **own})


def run(pair: Pair) -> dict[str, float]:
    """Return the errors of a pair, or of the one that has its tensors where it cannot run here."""
    if pair.runs is None:
        return errors(pair)
    pair.runs.torch.double().eval().load_state_dict(pair.torch.state_dict())
    pair.runs.paddle.eval()
    assert pair.runs.paddle.set_state_dict(pair.paddle.state_dict()) == ([], [])
    return errors(pair.runs)


def load(layer: paddle.nn.Layer, arrays: Mapping[str, np.ndarray]) -> None:
    assert_shapes(arrays, layer)
    layer.set_state_dict({key: paddle.to_tensor(array) for key, array in arrays.items()})


def torch_results(pair: Pair) -> tuple[list[np.ndarray], dict[str, torch.Tensor]]:
    """Return outputs and input gradients, and the gradients of all parameters."""
    inputs = [torch.from_numpy(array) for array in pair.inputs]
    real = [one.requires_grad_() for one in inputs if one.is_floating_point()]
    outputs = flat(pair.run_torch(pair.torch, *inputs))
    pair.torch.zero_grad()
    sum((one * weights(one.shape)).sum() for one in outputs).backward()
    results = [*outputs, *(one.grad for one in real)]
    state = pair.torch.state_dict(keep_vars=True)
    gradients = {
        key: torch.zeros_like(value) if value.grad is None else value.grad
        for key, value in state.items()
    }
    return [one.detach().numpy() for one in results], gradients


def paddle_results(pair: Pair) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    inputs = [paddle.to_tensor(array) for array in pair.inputs]
    real = [one for one in inputs if one.is_floating_point()]
    for one in real:
        one.stop_gradient = False
    outputs = flat(pair.run_paddle(pair.paddle, *inputs))
    pair.paddle.clear_gradients()
    sum((one * paddle.to_tensor(weights(one.shape).numpy())).sum() for one in outputs).backward()
    results = [*outputs, *(one.grad for one in real)]
    gradients = {
        key: np.zeros(value.shape) if value.grad is None else value.grad.numpy()
        for key, value in pair.paddle.state_dict().items()
        if not pair.extra or re.search(pair.extra, key) is None
        if not value.stop_gradient
    }
    return [one.numpy() for one in results], gradients


def weights(shape: tuple[int, ...]) -> torch.Tensor:
    """Return a fixed cotangent, another for every element."""
    random = np.random.default_rng([7, *shape])
    return torch.from_numpy(np.asarray(random.standard_normal(tuple(shape))))


def error(expected: np.ndarray, found: np.ndarray, floor: float = 0.0) -> float:
    """Return the largest difference relative to the largest value; NaN is an infinite error."""
    assert expected.shape == found.shape
    assert expected.dtype == found.dtype == np.float64
    scale = np.max(np.abs(expected), initial=floor) or 1.0
    worst = np.max(np.abs(expected - found), initial=0.0) / scale
    return float(worst) if np.isfinite(worst) else float("inf")


def errors(pair: Pair) -> dict[str, float]:
    """Return the error of every output, input gradient and parameter gradient."""
    (ours, ours_gradients), (theirs, gradients) = torch_results(pair), paddle_results(pair)
    found = {
        f"result {place}": error(a, b)
        for place, (a, b) in enumerate(zip(ours, theirs, strict=True))
    }
    # A gradient has its tensor's layout, so the rules carry it over as they carry the tensor.
    rules = rules_of(pair)
    expected = convert_state_dict(ours_gradients, pair.paddle, origin="torch", rules=rules)
    # A gradient that is zero in exact arithmetic (an attention's bias of keys) is rounding alone.
    floor = 1e-6 * max((np.max(np.abs(one), initial=0.0) for one in expected.values()), default=1.0)
    return found | {key: error(expected[key], gradients[key], floor) for key in gradients}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_agree(kind: str, seed: int) -> None:
    pair = make(kind, seed)
    state, rules = pair.torch.state_dict(), rules_of(pair)
    load(pair.paddle, convert_state_dict(state, pair.paddle, rules=rules))
    limit, _ = FLOORS.get(kind, (TOLERANCE, ""))
    found = run(pair)
    assert found
    assert max(found.values()) <= limit, found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_torch_to_paddle_to_torch(kind: str, seed: int) -> None:
    pair = make(kind, seed)
    before = pair.torch.state_dict()
    rules = rules_of(pair)
    there = convert_state_dict(before, pair.paddle, rules=rules)
    assert_shapes(there, pair.paddle)
    back = convert_state_dict(there, pair.torch, origin="paddle", rules=pair.rules or rules)
    assert set(back) == set(before)
    for key, array in back.items():
        if key.endswith("num_batches_tracked"):
            assert array == 0
        else:
            assert array.shape == tuple(before[key].shape)
            assert bits(array) == bits(before[key]), key


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_paddle_to_torch_to_paddle(kind: str, seed: int) -> None:
    pair = make(kind, seed)
    fill(pair, seed)
    before = {key: np.asarray(value.numpy()) for key, value in pair.paddle.state_dict().items()}
    rules = rules_of(pair)
    there = convert_state_dict(before, pair.torch, origin="paddle", rules=pair.rules or rules)
    assert_shapes(there, pair.torch)
    back = convert_state_dict(there, pair.paddle, origin="torch", rules=rules)
    assert set(back) == set(before)
    for key, array in back.items():
        assert array.shape == before[key].shape
        assert bits(array) == bits(before[key]), key


def fill(pair: Pair, seed: int) -> None:
    """Give every tensor of the Paddle layer values of its own; zeros where torch has no tensor."""
    named = (*pair.paddle.named_parameters(), *pair.paddle.named_buffers())
    for key, tensor in named:
        random = generator(seed, f"paddle {key}")
        values = np.asarray(random.uniform(0.2, 1.5, tensor.shape) * random.choice([-1.0, 1.0]))
        if pair.extra and re.search(pair.extra, key):
            values = np.zeros(tensor.shape)
        tensor.set_value(values.astype(str(tensor.dtype).removeprefix("paddle.")))


def assert_shapes(arrays: Mapping[str, np.ndarray], network: Any) -> None:
    """The arrays are those of a network's state dict, key by key and shape by shape."""
    state = network.state_dict()
    assert {key: array.shape for key, array in arrays.items()} == {
        key: tuple(value.shape) for key, value in state.items()
    }


def transposed(*keys: str) -> Break:
    return lambda arrays: {
        key: np.ascontiguousarray(array.T) if key in keys else array
        for key, array in arrays.items()
    }


def exchanged(one: str, two: str) -> Break:
    return lambda arrays: arrays | {one: arrays[two], two: arrays[one]}


def turned(key: str) -> Break:
    """Reverse a tensor's elements: the mistake of any reshape in the wrong order."""
    return lambda arrays: arrays | {key: arrays[key].reshape(-1)[::-1].reshape(arrays[key].shape)}


def lost(key: str) -> Break:
    """Leave a tensor as the target was initialised."""
    return lambda arrays: arrays | {key: np.ones_like(arrays[key])}


# A deliberate mistake for every kind with tensors, that keeps names and shapes.
BROKEN: dict[str, Break] = {
    **{f"conv{rank}d": turned("weight") for rank in (1, 2, 3)},
    **{f"conv_transpose{rank}d": turned("weight") for rank in (1, 2, 3)},
    "linear": transposed("weight"),
    "compat_linear": transposed("weight"),
    "bilinear": lambda arrays: arrays | {"weight": arrays["weight"].swapaxes(1, 2).copy()},
    **{f"batch_norm{rank}d": exchanged("_mean", "bias") for rank in (1, 2, 3)},
    **{f"instance_norm{rank}d": lost("scale") for rank in (1, 2, 3)},
    "group_norm": lost("weight"),
    "sync_batch_norm": lost("_mean"),
    **{f"layer_norm_{axes}_axes": turned("weight") for axes in (1, 2, 3)},
    "rms_norm": transposed("weight"),
    "embedding": transposed("weight"),
    "embedding_bag": transposed("weight"),
    "prelu": lost("_weight"),
    "transformer_encoder_layer": exchanged("self_attn.q_proj.weight", "self_attn.v_proj.weight"),
    "transformer_decoder_layer": exchanged("self_attn.q_proj.weight", "cross_attn.q_proj.weight"),
    "transformer_encoder": exchanged("layers.0.linear1.bias", "layers.1.linear1.bias"),
    "transformer_decoder": exchanged("layers.0.norm1.weight", "layers.0.norm3.weight"),
    "transformer": exchanged("decoder.layers.0.norm1.weight", "decoder.layers.0.norm3.weight"),
    "parameter_list": lost("held.0"),
    "parameter_dict": lost("held.p0"),
}
# Families of kinds, by how their names begin; the first that fits.
BROKEN_FAMILIES = {
    "attention": transposed("q_proj.weight"),
    "compat_attention_kdim_vdim": transposed("q_proj_weight"),
    "compat_attention": turned("in_proj_weight"),
    "weight_norm_linear": transposed("weight_v"),
    "weight_norm": lost("weight_g"),
    "spectral_norm_linear": transposed("weight_orig"),
    "spectral_norm": turned("weight_u"),
    **{f"{name}_cell": lost("weight_hh") for name in ("rnn", "lstm", "gru")},
    **{
        name: lambda arrays: {
            key: np.ones_like(array) if key.endswith("weight_hh") or "_hh_" in key else array
            for key, array in arrays.items()
        }
        for name in ("rnn", "lstm", "gru")
    },
}


def breaking(kind: str) -> Break | None:
    family = next((name for name in BROKEN_FAMILIES if kind.startswith(name)), "")
    return BROKEN.get(kind) or BROKEN_FAMILIES.get(family)


def test_every_kind_with_tensors_has_a_broken_case() -> None:
    assert [kind for kind in KINDS if breaking(kind) is None] == ["local_response_norm"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if breaking(kind) is not None])
def test_a_broken_conversion_is_caught(kind: str) -> None:
    pair = make(kind, 1, square=True)
    right = convert_state_dict(pair.torch.state_dict(), pair.paddle, rules=rules_of(pair))
    load(pair.paddle, breaking(kind)(right))
    assert max(run(pair).values()) > 1e-6
