"""Ways to get weights wrong that load without a word."""

from __future__ import annotations

import numpy as np

from benchmarks.port_bugs.bug import Arrays, Plant


def exchanged(one: str, other: str) -> Plant:
    """Exchange two tensors, or all tensors below two paths."""

    def plant(right: Arrays, _: Arrays) -> Arrays:
        ours, theirs = (_below(right, prefix) for prefix in (one, other))
        if set(ours) != set(theirs):
            raise ValueError(f"{one} and {other} hold tensors of other names")
        wrong = {one + rest: theirs[rest] for rest in ours}
        return wrong | {other + rest: ours[rest] for rest in ours}

    return plant


def never_loaded(*prefixes: str) -> Plant:
    """Leave tensors as they are in a fresh network."""

    def plant(right: Arrays, fresh: Arrays) -> Arrays:
        found = {prefix: _below(right, prefix) for prefix in prefixes}
        return {prefix + rest: fresh[prefix + rest] for prefix in found for rest in found[prefix]}

    return plant


def statistics_never_loaded(right: Arrays, fresh: Arrays) -> Arrays:
    """Leave all running statistics at 0 and 1."""
    return {key: fresh[key] for key in right if key.endswith(("._mean", "._variance"))}


def transposed(key: str, *axes: int) -> Plant:
    """Transpose a tensor, by default reversing its axes."""
    return lambda right, _: {key: right[key].transpose(axes or None)}


def reversed_along(key: str, axis: int) -> Plant:
    """Reverse a tensor along an axis."""
    return lambda right, _: {key: np.flip(right[key], axis)}


def rounded(key: str) -> Plant:
    """Send a tensor through float16."""
    return lambda right, _: {key: right[key].astype(np.float16).astype(right[key].dtype)}


def untransposed_projections(layer: str) -> Plant:
    """Leave query, key and value of an attention untransposed."""
    keys = [f"{layer}.{part}_proj.weight" for part in "qkv"]
    return lambda right, _: {key: right[key].T for key in keys}


def gates_reordered(layer: str, order: tuple[int, ...]) -> Plant:
    """Put the gates of every cell of a recurrent layer into another order."""

    def plant(right: Arrays, _: Arrays) -> Arrays:
        cells = {key: a for key, a in right.items() if key.startswith(layer) and ".cell" in key}
        parts = {key: np.split(array, len(order)) for key, array in cells.items()}
        return {key: np.concatenate([part[gate] for gate in order]) for key, part in parts.items()}

    return plant


def _below(arrays: Arrays, prefix: str) -> Arrays:
    found = {
        key.removeprefix(prefix): array
        for key, array in arrays.items()
        if key == prefix or key.startswith(f"{prefix}.")
    }
    if not found:
        raise ValueError(f"no tensor is called {prefix}")
    return found
