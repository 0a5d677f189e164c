"""Every kind of layer: converted, both compute the same in float64, and the way back is exact."""

import re
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
import paddle
import pytest
import torch
from layer_pairs import KINDS, Pair, flat
from samples import bits, generator

from converters import convert_state_dict

TOLERANCE = 1e-9
# Kinds whose Paddle kernels are not double precision throughout, with the largest error seen.
FLOORS: dict[str, tuple[float, str]] = {
    "local_response_norm": (2e-7, "paddle.scale keeps alpha and k in single precision"),
}
# A torch Linear cannot tell that the weights come from a class of Paddle's with torch's layout.
ONE_WAY = ("compat_linear",)
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


def load(layer: paddle.nn.Layer, arrays: Mapping[str, np.ndarray]) -> None:
    state = layer.state_dict()
    assert set(arrays) == set(state)
    assert {key: list(array.shape) for key, array in arrays.items()} == {
        key: list(value.shape) for key, value in state.items()
    }
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
        key: value.grad.numpy()
        for key, value in pair.paddle.state_dict().items()
        if not pair.extra or re.search(pair.extra, key) is None
        if not value.stop_gradient and value.grad is not None
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
    expected = convert_state_dict(ours_gradients, pair.paddle)
    trained = [k for k, v in pair.paddle.state_dict().items() if not v.stop_gradient]
    assert trained == [] or gradients
    # A gradient that is zero in exact arithmetic (an attention's bias of keys) is rounding alone.
    floor = 1e-6 * max((np.max(np.abs(one), initial=0.0) for one in expected.values()), default=1.0)
    return found | {key: error(expected[key], gradients[key], floor) for key in gradients}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_computes_the_same_and_comes_back(kind: str, seed: int) -> None:
    pair = make(kind, seed)
    before = {key: bits(value) for key, value in pair.torch.state_dict().items()}
    load(pair.paddle, convert_state_dict(pair.torch.state_dict(), pair.paddle))
    limit, _ = FLOORS.get(kind, (TOLERANCE, ""))
    found = errors(pair)
    assert found
    assert max(found.values()) <= limit, found
    if kind in ONE_WAY:
        return
    back = convert_state_dict(pair.paddle.state_dict(), pair.torch)
    assert set(back) == set(before)
    for key, array in back.items():
        if key.endswith("num_batches_tracked"):
            assert array == 0
        else:
            assert array.shape == tuple(pair.torch.state_dict()[key].shape)
            assert array.tobytes() == before[key], key
