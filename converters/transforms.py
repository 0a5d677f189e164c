"""What happens to the elements of a tensor on the way: data, each with its way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from converters.dtypes import BY_NAME, DType

Shape = tuple[int, ...]

ABN_EPSILON = 1e-5
# Elements that are brought to double precision at a time.
_BLOCK = 1 << 20
# Rows that are transposed at a time.
_STRIP = 64


@dataclass(frozen=True)
class Transform:
    """One change of a tensor.

    Attributes:
        action: what the report calls it.
        shape: the shape afterwards.
        apply: the change, on the type's numpy carrier.
        undo: the way back, bit for bit; None where there is none.
    """

    action: str
    shape: Callable[[Shape], Shape]
    apply: Callable[[np.ndarray, DType], np.ndarray]
    undo: Callable[[np.ndarray, DType], np.ndarray] | None


def to_float64(array: np.ndarray, dtype: DType) -> np.ndarray:
    """Return the values of a floating-point tensor exactly, in double precision."""
    if dtype.name == "bfloat16":
        return (array.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return array.astype(np.float64)


def from_float64(array: np.ndarray, dtype: DType) -> np.ndarray:
    """Return values in a floating-point type, rounded to the nearest, ties to even."""
    if dtype.name != "bfloat16":
        return array.astype(dtype.numpy)
    single = np.asarray(array.astype(np.float32))
    bits = single.view(np.uint32)
    # Rounding to single precision may end in the middle of two values of the type; which side it
    # came from decides, not the middle.
    from_above = np.where(np.abs(single) > np.abs(array), np.uint32(1), np.uint32(0))
    inexact = (single != array) & (bits & np.uint32(0xFFFF) == np.uint32(0x8000))
    bits = np.where(inexact, bits + np.uint32(1) - 2 * from_above, bits).astype(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    quiet = (bits >> np.uint32(16)) | np.uint32(0x40)
    return np.where(np.isnan(single), quiet, rounded).astype(np.uint16)


def rounded(array: np.ndarray, source: DType, target: DType) -> np.ndarray:
    """Return a floating-point tensor in another type, rounded once, block by block."""
    found, made = array.reshape(-1), np.empty(array.size, target.numpy)
    for start in range(0, array.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        made[block] = from_float64(to_float64(found[block], source), target)
    return made.reshape(array.shape)


def _fold(array: np.ndarray, dtype: DType) -> np.ndarray:
    # In double precision, rounded once: the smallest error that the target's type allows.
    return from_float64(np.abs(to_float64(array, dtype)) + ABN_EPSILON, dtype)


def _same(array: np.ndarray, _: DType) -> np.ndarray:
    return array


def _transposed(array: np.ndarray, _: DType) -> np.ndarray:
    # In strips, which are several times faster than one go where the rows are long.
    made = np.empty(array.shape[::-1], array.dtype)
    for start in range(0, len(array), _STRIP):
        strip = slice(start, start + _STRIP)
        made[..., strip] = array[strip].T
    return made


TRANSFORMS = {
    "copy": Transform("copy", lambda shape: shape, _same, _same),
    "transpose": Transform("transpose", lambda shape: shape[::-1], _transposed, _transposed),
    # In-place ABN multiplies by |weight| + eps; plain BN by its weight. mapillary/inplace_abn 92.
    "fold": Transform("fold", lambda shape: shape, _fold, None),
}

FLOATING = tuple(BY_NAME[name] for name in ("float32", "float64", "float16", "bfloat16"))
