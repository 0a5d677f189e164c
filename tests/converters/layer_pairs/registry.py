"""What a pair of layers is, and how a kind is registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from paddle import nn as pn
from torch import nn as tn

from converters.user_rules import UserRules

Random = np.random.Generator
N = 2


@dataclass
class Pair:
    torch: tn.Module
    paddle: pn.Layer
    inputs: tuple[np.ndarray, ...]
    run_torch: Callable[..., Any] = lambda module, *inputs: module(*inputs)
    run_paddle: Callable[..., Any] = lambda layer, *inputs: layer(*inputs)
    training: bool = False
    # Keys of tensors that Paddle trains and torch has not, as a regular expression.
    extra: str = ""
    # A pair with the same tensors that runs on the CPU, where this one does not.
    runs: Pair | None = None
    # What the classes cannot tell, for the conversion to torch.
    rules: UserRules | None = None
    # What they cannot tell of tensors, for both.
    tensors: Mapping[str, str] = field(default_factory=dict)


Make = Callable[..., Pair]
KINDS: dict[str, Make] = {}


def kind(name: str, /, **options: Any) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        KINDS[name] = partial(make, **options) if options else make
        return make

    return register


def sizes(random: Random, count: int, *, square: bool, low: int = 2, high: int = 7) -> list[int]:
    """Draw sizes, all different, or all equal so that no mistake shows by its shape."""
    if square:
        return [int(random.integers(low, high))] * count
    return [int(n) for n in random.permutation(np.arange(low, high + count))[:count]]


def coin(random: Random) -> bool:
    return bool(random.integers(2))


def normal(random: Random, *shape: int) -> np.ndarray:
    return random.standard_normal(shape)


def space(random: Random, rank: int, low: int = 5, high: int = 8) -> list[int]:
    return [int(n) for n in random.integers(low, high, rank)]


def flat(outputs: Any) -> list[Any]:
    if isinstance(outputs, (tuple, list)):
        return [one for part in outputs for one in flat(part)]
    return [outputs]
