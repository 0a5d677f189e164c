"""Weights apart from a network: of a file, of a dump, or made from a seed.

They are carried into a network of either framework in the precision of a run. What the converter
computes on the way is computed in double precision from the values of the file, so that a float64
run is not given a folded scale that was rounded to float32 (6e-8).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import converters
from converters.bits import raw
from converters.plan import without_prefix
from converters.state_dict import lazy
from converters.transforms import to_float64
from parity.backends import backend_of
from parity.pair import renamed
from parity.weights import Keys, rules_for, transfer_through

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from converters import LazyTensor

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})


@dataclass(frozen=True)
class Weights:
    """A state dict that no network holds yet.

    Attributes:
        tensors: Its tensors by key.
        framework: Whose keys and layouts they have.
        source: Where they come from, for people.
        repeatable: Somebody else can have them from there: a file, or a seed.
        own: Nothing connects them with the other network's.
    """

    tensors: Mapping[str, LazyTensor]
    framework: Literal["torch", "paddle"]
    source: str
    repeatable: bool = True
    own: bool = False

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Weights:
        """Take those of a checkpoint of either framework, without its wrappers' prefixes.

        Raises:
            converters.InputError: The file cannot be read.
        """
        checkpoint = converters.read_checkpoint(str(path))
        tensors = {name: checkpoint[key] for name, key in without_prefix(checkpoint).items()}
        return cls(tensors, checkpoint.framework, checkpoint.path.name)

    @classmethod
    def of(cls, network: Any) -> Weights:
        """Take a network's own, as they are."""
        state = {key: lazy(key, value) for key, value in network.state_dict().items()}
        return cls(state, backend_of(network).name, "the network's own", repeatable=False)

    @classmethod
    def stored(
        cls, arrays: Mapping[str, np.ndarray], framework: Literal["torch", "paddle"], source: str
    ) -> Weights:
        """Take arrays by key, those of a dump for instance."""
        return cls({key: lazy(key, value) for key, value in arrays.items()}, framework, source)

    def values(self, dtype: str = "") -> dict[str, np.ndarray]:
        """Give the values, all floating ones in a precision; '' keeps each tensor's own."""
        return {key: _cast(tensor, dtype) for key, tensor in self.tensors.items()}

    def sha256(self) -> str:
        """Give a fingerprint of names, shapes and values, whatever the types they are stored in."""
        digest = hashlib.sha256()
        for key in sorted(self.tensors):
            tensor = self.tensors[key]
            digest.update(f"{key} {list(tensor.shape)}\n".encode())
            digest.update(raw(_cast(tensor, "float64")))
        return digest.hexdigest()

    def fitted(
        self, network: Any, dtype: str = "", keys: Keys | None = None
    ) -> dict[str, np.ndarray]:
        """Give the values by a network's keys, converted if it is the other framework's.

        Args:
            network: Its layer kinds settle every layout; it is only read.
            dtype: The precision of all floating values; '' keeps each tensor's own.
            keys: How torch's keys become paddle's.

        Raises:
            converters.RefusedError: A key is unaccounted for, or a shape disagrees; all are listed.
            converters.InputError: The network holds a layer for which there is no rule.
        """
        values, keys = self.values(dtype), keys or Keys({})
        if backend_of(network).name == self.framework:
            return values
        if self.framework == "torch":
            return transfer_through(keys, State(values), network)
        names = {theirs: ours for ours, theirs in keys.rename.items()}
        state = {renamed(key, names): value for key, value in values.items()}
        return converters.convert_state_dict(
            state, network, origin="paddle", rules=rules_for(state)
        )


@dataclass(frozen=True)
class State:
    """A state dict alone, where a network would do."""

    tensors: Mapping[str, np.ndarray]

    def state_dict(self) -> Mapping[str, np.ndarray]:
        """Give it."""
        return self.tensors


def _cast(tensor: LazyTensor, dtype: str) -> np.ndarray:
    array = tensor.load()
    if tensor.dtype not in FLOATS or not dtype:
        return array
    return to_float64(array, tensor.type).astype(dtype)
