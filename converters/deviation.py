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
        odd, gaps = parted(flat[block], first, other[block], second)
        differing += int(np.count_nonzero(odd))
        with np.errstate(invalid="ignore"):
            # np.maximum keeps NaN, the built-in max would lose it.
            largest = float(np.maximum(largest, gaps.max(initial=0.0)))
        mine = np.abs(values(flat[block], first))
        scale = float(np.fmax(scale, np.fmax.reduce(mine, initial=0.0)))
    return differing, largest, scale


def parted(
    one: np.ndarray, first: DType, two: np.ndarray, second: DType
) -> tuple[np.ndarray, np.ndarray]:
    """Return which elements differ, and by how much those that do."""
    if first == second and first not in FLOATING and one.dtype.kind in "iu":
        # Double precision would not tell large integers apart; modulo 2**64 all are.
        odd = one != two
        high, low = np.maximum(one[odd], two[odd]), np.minimum(one[odd], two[odd])
        return odd, (high.astype(np.uint64) - low.astype(np.uint64)).astype(np.float64)
    mine, theirs = values(one, first), values(two, second)
    odd = (mine != theirs) & ~(np.isnan(mine) & np.isnan(theirs))
    with np.errstate(invalid="ignore", over="ignore"):
        return odd, np.abs(mine[odd] - theirs[odd])


def values(array: np.ndarray, kind: DType) -> np.ndarray:
    """Return elements in double precision, complex ones as complex."""
    if kind in FLOATING:
        return to_float64(array, kind)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
