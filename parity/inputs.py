"""Seeded weights and inputs for checks without a checkpoint.

Fresh networks make weak tests: BN with mean 0, variance 1, gain 1 and shift 0 hides a swapped
statistic, a lost shift and a wrong epsilon alike. These weights look trained instead: statistics
and gains spread out, one gain in ten is negative, and every tensor draws from a generator of its
own key, so that two tensors that change places never agree by chance.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Gains of a normalisation: enough above zero on average for the signal to live through 60 layers.
GAIN_MEAN, GAIN_STD, NEGATIVE_GAINS = 0.9, 0.2, 0.1
SHIFT_STD = 0.1
RUNNING_MEAN_STD = 0.2
RUNNING_VARIANCE = (0.5, 1.5)
#: The label that the usual losses of segmentation ignore.
IGNORED = 255


def seed_weights(torch_module: Any, seed: int = 0) -> None:
    """Fill a torch network in place with trained-looking weights.

    Matrices and kernels are normal with variance 2 / fan_in, which keeps activations behind a ReLU
    at their size; vectors called weight are gains, other vectors shifts; running statistics are
    spread. Other buffers (an index, a fixed kernel) stay as they are.
    """
    import torch

    with torch.no_grad():
        for key, tensor in _tensors(torch_module):
            rng = np.random.default_rng([seed, zlib.crc32(key.encode())])
            values = _values(key, tuple(tensor.shape), rng)
            if values is not None:
                tensor.copy_(torch.from_numpy(values))


def seeded_state(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    """Make the state that `seed_weights` gives a torch network with such tensors, without torch.

    Args:
        shapes: Of its parameters and running statistics by key; a counter of batches is zero.
        seed: As for `seed_weights`.
    """
    state = {}
    for key, shape in shapes.items():
        values = _values(key, shape, np.random.default_rng([seed, zlib.crc32(key.encode())]))
        counter = np.zeros(shape, np.int64)
        state[key] = counter if values is None else np.asarray(values, np.float32)
    return state


def _tensors(torch_module: Any) -> Iterator[tuple[str, Any]]:
    yield from torch_module.named_parameters()
    yield from torch_module.named_buffers()


def _values(key: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray | None:
    name = key.rpartition(".")[2]
    if name == "num_batches_tracked":
        return None
    if name == "running_mean":
        return rng.normal(0.0, RUNNING_MEAN_STD, shape)
    if name == "running_var":
        return rng.uniform(*RUNNING_VARIANCE, shape)
    if len(shape) >= 2:
        return rng.normal(0.0, np.sqrt(2 / np.prod(shape[1:])), shape)
    if name == "weight":
        signs = np.where(rng.random(shape) < NEGATIVE_GAINS, -1.0, 1.0)
        return signs * rng.normal(GAIN_MEAN, GAIN_STD, shape)
    return rng.normal(0.0, SHIFT_STD, shape)


def random_input(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Draw a float32 input as a normalised image has it: mean 0, standard deviation 1."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def random_labels(
    shape: tuple[int, ...], classes: int, seed: int = 0, *, ignored: float = 0.1
) -> np.ndarray:
    """Draw integer labels: one a sample (N), or patches of a label map (N, H, W).

    Args:
        shape: Of the labels.
        classes: Labels are below it.
        seed: Of the draw.
        ignored: Share of a map's patches that is 255, ignored by the usual losses.
    """
    random = np.random.default_rng([seed, classes, *shape])
    if len(shape) == 1:
        return random.integers(0, classes, shape)
    count, height, width = shape
    patch = max(1, min(height, width) // 8)
    coarse = (count, -(-height // patch), -(-width // patch))
    labels = random.integers(0, classes, coarse)
    labels[random.random(coarse) < ignored] = IGNORED
    return labels.repeat(patch, 1).repeat(patch, 2)[:, :height, :width].copy()
