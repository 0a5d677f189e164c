"""A network one unit in the last place away from itself: the measure of what amplifies rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.arguments import Arguments, as_arguments, split
from parity.backends import backend_of
from parity.backends.autograd import autograd_of


def nudge(network: Any) -> None:
    """Move every trained parameter's values to a neighbouring number, up or down by a seed."""
    backend, autograd = backend_of(network), autograd_of(network)
    random = np.random.default_rng(0)
    for _, tensor in autograd.tensors(network):
        if autograd.trains(tensor):
            backend.overwrite(tensor, _neighbours(backend.view(tensor), random))


def nudged(inputs: tuple[np.ndarray, ...], dtype: str) -> Arguments:
    """Give inputs in a precision, those of floating type moved to neighbouring numbers."""
    random = np.random.default_rng(1)
    arrays = tuple(
        _neighbours(array.astype(dtype), random) if array.dtype.kind == "f" else array
        for array in inputs
    )
    return Arguments.of(*split(arrays, as_arguments(inputs).names))


def _neighbours(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    far = np.where(random.random(array.shape) < 0.5, -np.inf, np.inf)
    moved: np.ndarray = np.nextafter(array, far.astype(array.dtype))
    return moved
