"""How far the elements of two tensors of any types are apart."""

from __future__ import annotations

import numpy as np

from converters.dtypes import DType
from converters.transforms import FLOATING, to_float64

BLOCK = 1 << 20


def deviation(
    one: np.ndarray, first: DType, two: np.ndarray, second: DType
) -> tuple[int, float | None, float]:
    """Return how many elements differ, max|one − two|, and max|one|; block by block.

    NaN at the same place on both sides is no difference, on one side the largest is NaN.
    """
    if any(kind.name.startswith("float8") for kind in (first, second)):
        return int(np.count_nonzero(one != two)), None, 0.0
    differing, largest, scale = 0, 0.0, 0.0
    flat, other = one.reshape(-1), two.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        block = slice(start, start + BLOCK)
        mine, theirs = values(flat[block], first), values(other[block], second)
        odd = (mine != theirs) & ~(np.isnan(mine) & np.isnan(theirs))
        differing += int(np.count_nonzero(odd))
        with np.errstate(invalid="ignore", over="ignore"):
            # np.maximum keeps NaN, the built-in max would lose it.
            gaps = np.abs(mine[odd] - theirs[odd])
            largest = float(np.maximum(largest, gaps.max(initial=0.0)))
        scale = float(np.fmax(scale, np.fmax.reduce(np.abs(mine), initial=0.0)))
    return differing, largest, scale


def values(array: np.ndarray, kind: DType) -> np.ndarray:
    """Return elements in double precision, complex ones as complex."""
    if kind in FLOATING:
        return to_float64(array, kind)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
