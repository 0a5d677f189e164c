"""The parameters of a network after its backward pass, as a dump keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from converters import ConverterError
from parity.backends import backend_of
from parity.backends.autograd import autograd_of
from parity.parameters import entries_between, entries_by_name, is_parameter, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from converters.entries import Entry
    from parity.carry import State
    from parity.parameters import Partners
    from parity.weights import Keys


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter, or with paddle a buffer, that no framework holds any more.

    Attributes:
        names: All that it has in the state dict, the first one first.
        trains: It is to be trained.
        values: Its values.
        gradient: By it; None where none has reached it.
    """

    names: tuple[str, ...]
    trains: bool
    values: np.ndarray
    gradient: np.ndarray | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""
        return self.values.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Give its values to numpy."""
        return np.array(self.values, dtype, copy=copy)


class StoredGradients:
    """What is asked of a backward pass that a dump keeps; see `parity.backends.autograd`."""

    def trains(self, parameter: Parameter) -> bool:
        """Tell whether a parameter is to be trained."""
        return parameter.trains

    def gradient(self, parameter: Parameter) -> np.ndarray | None:
        """Give the gradient by a parameter."""
        return parameter.gradient


def parameters_of(network: Any) -> list[Parameter]:
    """List a network's parameters with the gradients that a backward pass left in them."""
    backend, autograd = backend_of(network), autograd_of(network)
    names: dict[int, list[str]] = {}
    tensors = {}
    for name, tensor in autograd.tensors(network):
        if backend.name == "paddle" or is_parameter(tensor):
            names.setdefault(id(tensor), []).append(name)
            tensors[id(tensor)] = tensor
    return [
        Parameter(
            tuple(names[key]),
            autograd.trains(tensor),
            backend.view(tensor),
            autograd.gradient(tensor),
        )
        for key, tensor in tensors.items()
    ]


def stored_entries(state: State | None, network: Any, keys: Keys) -> dict[str, list[Entry]] | None:
    """Give the converter's entries by torch's names; None where it knows nothing of them.

    Args:
        state: Torch's; None where it is not known.
        network: Paddle's.
        keys: How torch's keys become paddle's.
    """
    if state is None:
        return None
    try:
        return entries_between(state, network, keys)
    except ConverterError:
        return None


def stored_partners(
    ours: Iterable[Parameter],
    theirs: Iterable[Parameter],
    entries: Mapping[str, Sequence[Entry]] | None,
    rename: Mapping[str, str],
) -> tuple[Partners, ...]:
    """Pair the parameters of two dumps.

    Args:
        ours: Torch's.
        theirs: Paddle's.
        entries: The converter's, by torch's names; without any, names are all there is.
        rename: Torch path prefix to paddle path prefix.
    """
    in_torch, in_paddle = _by_name(ours), _by_name(theirs)
    if entries is None:
        entries = entries_by_name(rename, in_torch, in_paddle)
    return joined(in_torch, in_paddle, entries)


def _by_name(parameters: Iterable[Parameter]) -> dict[str, Parameter]:
    return {name: parameter for parameter in parameters for name in parameter.names}
