"""Indices that differ because the values they point at do not: ties in arg-max, sort and top-k."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: How far apart values may be, relative to the largest, to change places by rounding alone.
NEAR = {"float64": 1e-13, "float32": 1e-6}


def tie(ours: np.ndarray, theirs: np.ndarray, values: Iterable[np.ndarray]) -> str:
    """Say that two index tensors differ at ties only; '' if they do not, or nothing shows it.

    Args:
        ours: Torch's indices.
        theirs: Paddle's, of the same shape.
        values: Tensors of torch that they may be indices into.
    """
    differ = ours != theirs
    for value in values:
        if value.dtype.kind == "f" and value.size:
            for axis, table in _along(value, ours.shape):
                if said := _tie(ours, theirs, differ, table, axis):
                    return said
    return ""


def _along(value: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the axes that such indices may go along, each with the values shaped for it."""
    if int(np.prod(shape)) == 1:
        yield 0, value.reshape(-1)
    for axis in range(value.ndim):
        rest = value.shape[:axis] + value.shape[axis + 1 :]
        if shape == rest or (len(shape) == value.ndim and shape[:axis] + shape[axis + 1 :] == rest):
            yield axis, value


def _in_range(indices: np.ndarray, size: int) -> bool:
    return bool(indices.min() >= 0 and indices.max() < size)


def _taken(table: np.ndarray, indices: np.ndarray, axis: int) -> np.ndarray:
    if table.ndim == 1 and indices.size == 1:
        return table[indices.reshape(-1)]
    whole = indices if indices.ndim == table.ndim else np.expand_dims(indices, axis)
    return np.take_along_axis(table, whole.astype(np.int64), axis)


def _tie(
    ours: np.ndarray, theirs: np.ndarray, differ: np.ndarray, table: np.ndarray, axis: int
) -> str:
    """Compare the values that the indices point at, if these do look chosen by their size."""
    if not all(_in_range(indices, table.shape[axis]) for indices in (ours, theirs)):
        return ""
    one, other = (_taken(table, indices, axis) for indices in (ours, theirs))
    if not _chosen_by_size(one, table, axis):
        return ""
    apart = float(np.max(np.abs(one - other))) / (float(np.max(np.abs(table))) or 1.0)
    count = int(differ.sum())
    if apart == 0.0:
        return f"a tie: the values at all {count} differing indices are equal"
    if apart <= NEAR.get(table.dtype.name, 0.0):
        return f"a near tie: the values at {count} differing indices are within {apart:.0e}"
    return ""


def _chosen_by_size(taken: np.ndarray, table: np.ndarray, axis: int) -> bool:
    if taken.shape[axis if taken.ndim > axis else 0] > 1:
        steps = np.diff(taken, axis=axis)
        return bool((steps >= 0).all() or (steps <= 0).all())
    whole = taken.reshape(-1) if table.ndim == 1 else taken
    best = (np.max(table, axis, keepdims=True), np.min(table, axis, keepdims=True))
    return any(bool(np.array_equal(whole, end)) for end in best)
