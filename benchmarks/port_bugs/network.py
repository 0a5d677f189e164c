"""The networks that bugs are planted in, each with its inputs and labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.port_bugs.edits import Edit, load

Arrays = tuple[np.ndarray, ...]
Random = np.random.Generator
HERE = "benchmarks.port_bugs.networks"
STDC = "stdc_port.paddle_nets"


@dataclass(frozen=True)
class Network:
    """A torch network and its correct port.

    Attributes:
        name: for the tables.
        torch: module that builds and trains the original.
        paddle: modules of the port, the last builds and trains it.
        inputs: draws the positional arguments.
        labels: draws what the loss takes beside the outputs.
    """

    name: str
    torch: str
    paddle: tuple[str, ...]
    inputs: Callable[[Random], Arrays]
    labels: Callable[[Random], np.ndarray]

    def original(self) -> ModuleType:
        """Return the torch side."""
        return load((self.torch,))

    def port(self, *edits: Edit) -> ModuleType:
        """Return the paddle side, its source edited."""
        return load(self.paddle, edits)

    def batch(self, seed: int = 0) -> tuple[Arrays, np.ndarray]:
        """Draw inputs and labels."""
        random = np.random.default_rng([seed, len(self.name)])
        return self.inputs(random), self.labels(random)


def images(*shape: int) -> Callable[[Random], Arrays]:
    """Draw float32 images as a normalisation leaves them."""
    return lambda random: (random.standard_normal(shape).astype(np.float32),)


def colours(*shape: int) -> Callable[[Random], Arrays]:
    """Draw float32 images of values between 0 and 1."""
    return lambda random: (random.random(shape, np.float32),)


def tokens(count: int, length: int, words: int) -> Callable[[Random], Arrays]:
    """Draw sentences of several lengths, filled up with the padding token 0."""

    def draw(random: Random) -> Arrays:
        found = random.integers(1, words, (count, length))
        for row, end in enumerate(random.integers(length // 2, length, count)):
            found[row, end:] = 0
        return (found,)

    return draw


def classes(count: int, *shape: int, ignored: int | None = None) -> Callable[[Random], Any]:
    """Draw labels, one in four of them ignored where there is such a label."""

    def draw(random: Random) -> np.ndarray:
        found = random.integers(0, count, shape)
        if ignored is not None:
            found = np.where(random.random(shape) < 0.25, ignored, found)
            # One of each kind at least, whatever was drawn.
            found.flat[0], found.flat[1] = count - 1, ignored
        return found

    return draw


def regions(count: int, *shape: int) -> Callable[[Random], Any]:
    """Draw label maps (N, H, W) of 8×8 blocks, one in four blocks labelled 255."""
    images, height, width = shape
    blocks = classes(count, images, -(-height // 8), -(-width // 8), ignored=255)
    return lambda random: blocks(random).repeat(8, 1).repeat(8, 2)[:, :height, :width]


def _pair(name: str, *earlier: str, **draws: Any) -> Network:
    return Network(name, f"{HERE}.{name}_torch", (*earlier, f"{HERE}.{name}_paddle"), **draws)


NETWORKS = {
    network.name: network
    for network in (
        _pair(
            "stdc1",
            f"{STDC}.backbone",
            inputs=images(2, 3, 64, 64),
            labels=classes(10, 2),
        ),
        _pair(
            "stdc1_seg",
            f"{STDC}.backbone",
            f"{STDC}.segmentation",
            f"{STDC}.losses",
            inputs=images(2, 3, 70, 134),
            labels=regions(5, 2, 70, 134),
        ),
        _pair(
            "residual",
            inputs=images(4, 3, 32, 42),
            labels=classes(10, 4, ignored=255),
        ),
        _pair("encoder", inputs=tokens(3, 8, 16), labels=classes(5, 3)),
        _pair(
            "tagger",
            inputs=tokens(3, 8, 12),
            labels=classes(5, 3, 8, ignored=-100),
        ),
        _pair(
            "hourglass",
            inputs=colours(2, 3, 16, 24),
            labels=classes(4, 2, 16, 24, ignored=255),
        ),
    )
}
#: The network that no rule was made for.
STRANGER = "hourglass"


@cache
def original(name: str) -> Any:
    """Return a network of torch with trained-looking weights; it is only read."""
    from parity.inputs import seed_weights

    network = NETWORKS[name].original().build()
    seed_weights(network, 1)
    return network
