"""What a network is called with: arrays by position, and arrays by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np


class Arguments(tuple[np.ndarray, ...]):
    """A network's arguments, those by position first.

    Attributes:
        names: Of the last ones, which are given by name.
    """

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, positional: Iterable[np.ndarray], named: Mapping[str, np.ndarray]) -> Arguments:
        """Join arrays by position and arrays by name."""
        made = cls((*positional, *named.values()))
        made.names = tuple(named)
        return made

    def items(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each with its name, '' for one by position."""
        positional, named = split(self, self.names)
        yield from (("", array) for array in positional)
        yield from named.items()


def as_arguments(inputs: Any) -> Arguments:
    """Turn arrays and tensors of either framework into arguments.

    Args:
        inputs: One of them; a tuple or list, by position; or a mapping, by name.
    """
    if isinstance(inputs, Arguments):
        return inputs
    if isinstance(inputs, Mapping):
        return Arguments.of((), {name: as_array(value) for name, value in inputs.items()})
    values = inputs if isinstance(inputs, tuple | list) else (inputs,)
    return Arguments.of((as_array(value) for value in values), {})


def split(inputs: tuple[Any, ...], names: tuple[str, ...]) -> tuple[list[Any], dict[str, Any]]:
    """Split arguments into those by position and those by name."""
    by_position = len(inputs) - len(names)
    return list(inputs[:by_position]), dict(zip(names, inputs[by_position:], strict=True))


def as_array(value: Any) -> np.ndarray:
    """Give the values of an array, or of a tensor of either framework."""
    plain = value.detach() if hasattr(value, "detach") else value
    return np.asarray(plain.cpu().numpy() if hasattr(plain, "cpu") else plain)
