"""Where a backward pass starts: from seeded numbers, or from the loss that a training has."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.backends import backend_of
from parity.nested import flatten
from parity.running import as_dtype
from parity.source import copy_as
from parity.training.plan import loss_parts
from parity.training.side import is_network

if TYPE_CHECKING:
    from parity.backends import FloatType
    from parity.training.plan import Loss

#: From a network and what it returned to the tensors from which to run backward, and their
#: cotangents.
Start = Callable[[Any, Any], "tuple[list[Any], list[np.ndarray]]"]
COTANGENTS = ("random", "loss")


def random_cotangent(seed: int = 0) -> Start:
    """Start from seeded normal numbers for every floating output, the same in both frameworks."""

    def start(network: Any, output: Any) -> tuple[list[Any], list[np.ndarray]]:
        backend = backend_of(network)
        arrays = [(slot, t, backend.view(t)) for slot, t in flatten(output, backend.is_tensor)]
        floating = [(slot, t, array) for slot, t, array in arrays if array.dtype.kind == "f"]
        # A lone output may lie in a tuple on one side.
        slots = [slot for slot, _, _ in floating] if len(floating) > 1 else [""]
        drawn = [
            _draw(seed, slot, array) for slot, (_, _, array) in zip(slots, floating, strict=False)
        ]
        return [tensor for _, tensor, _ in floating], drawn

    return start


def _draw(seed: int, slot: str, like: np.ndarray) -> np.ndarray:
    random = np.random.default_rng([seed, zlib.crc32(slot.encode()), *like.shape])
    # Drawn in single precision: both precisions start from the same numbers.
    return random.standard_normal(like.shape, np.float32).astype(like.dtype)


def loss_cotangent(
    losses: Mapping[str, Loss], labels: Sequence[np.ndarray], dtype: FloatType
) -> Start:
    """Start from each framework's own loss of what its network returned.

    Args:
        losses: By framework.
        labels: The losses' other arguments.
        dtype: The precision; a loss that is a network is copied in it.
    """
    copies = {name: copy_as(x, dtype) if is_network(x) else x for name, x in losses.items()}

    def start(network: Any, output: Any) -> tuple[list[Any], list[np.ndarray]]:
        backend = backend_of(network)
        given = [backend.argument(network, as_dtype(array, dtype)) for array in labels]
        total = next(iter(loss_parts(copies[backend.name](output, *given)).values()))
        return [total], [np.ones(tuple(total.shape), dtype)]

    return start
