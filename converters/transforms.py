"""What happens to the elements of a tensor on the way: data, each with its way back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from converters.bits import contiguous
from converters.dtypes import BY_NAME, DType

Shape = tuple[int, ...]

ABN_EPSILON = 1e-5
PARTS = 3  # query, key and value
# Elements that are brought to double precision at a time.
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Transform:
    """One change of a tensor.

    A tensor that is split gives its parts stacked along a new first axis; the way back takes them
    so.

    Attributes:
        action: what the report calls it.
        shape: the shape afterwards, of each part where there are several.
        back: the shape before, from the shape afterwards; None where other things settle it.
        apply: the change, on the type's numpy carrier; a view of it where elements only move.
        undo: the way back, bit for bit but for the shape; None where there is none.
        undone: what the report calls the way back.
        exact: elements are moved and not computed.
        axes: how many axes the tensor must have, None if it may have any.
        slope: where elements are computed, the derivative at each of them.
    """

    action: str
    shape: Callable[[Shape], Shape]
    back: Callable[[Shape], Shape] | None
    apply: Callable[[np.ndarray, DType], np.ndarray]
    undo: Callable[[np.ndarray, DType], np.ndarray] | None
    undone: str = ""
    exact: bool = True
    axes: int | None = None
    slope: Callable[[np.ndarray], np.ndarray] | None = None

    def called(self, *, inverse: bool) -> str:
        """Return what the report calls it in a direction."""
        return self.undone if inverse and self.undone else self.action


# numpy warns of every signalling NaN and of every value that becomes infinite. NaN stays NaN, and
# infinities are counted where they matter.
_QUIET = np.errstate(invalid="ignore", over="ignore")


@_QUIET
def to_float64(array: np.ndarray, dtype: DType) -> np.ndarray:
    """Return the values of a floating-point tensor exactly, in double precision."""
    if dtype.name == "bfloat16":
        return (array.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return array.astype(np.float64)


@_QUIET
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


def narrowed(array: np.ndarray, dtype: DType) -> np.ndarray:
    """Return values in a floating-point type, none of which may leave its range.

    Raises:
        OverflowError: a finite value would become infinite.
    """
    made = from_float64(array, dtype)
    lost = int(np.sum(np.isinf(to_float64(made, dtype)) & np.isfinite(array)))
    if lost:
        raise OverflowError(f"{lost} of its values are beyond the range of {dtype.name}")
    return made


def rounded(array: np.ndarray, source: DType, target: DType) -> np.ndarray:
    """Return a floating-point tensor in another type, rounded once, block by block.

    Raises:
        OverflowError: a finite value would become infinite.
    """
    found, made = array.reshape(-1), np.empty(array.size, target.numpy)
    for start in range(0, array.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        made[block] = narrowed(to_float64(found[block], source), target)
    return made.reshape(array.shape)


def _fold(array: np.ndarray, dtype: DType) -> np.ndarray:
    # In double precision, rounded once: the smallest error that the target's type allows.
    return from_float64(np.abs(to_float64(array, dtype)) + ABN_EPSILON, dtype)


def _same(array: np.ndarray, _: DType) -> np.ndarray:
    return array


def _transposed(array: np.ndarray, _: DType) -> np.ndarray:
    return array.T


def _unchanged(shape: Shape) -> Shape:
    return shape


def _reversed(shape: Shape) -> Shape:
    return shape[::-1]


def _flat(shape: Shape) -> Shape:
    return (math.prod(shape),) if shape else ()


def _third(shape: Shape) -> Shape:
    return (shape[0] // PARTS, *shape[1:]) if shape else ()


def _tripled(shape: Shape) -> Shape:
    return (shape[0] * PARTS, *shape[1:]) if shape else ()


def _split(array: np.ndarray, _: DType) -> np.ndarray:
    return array.reshape(PARTS, *_third(array.shape))


def _merge(parts: np.ndarray, _: DType) -> np.ndarray:
    return parts.reshape(-1, *parts.shape[2:])


def _split_transposed(array: np.ndarray, dtype: DType) -> np.ndarray:
    return _split(array, dtype).swapaxes(1, 2)


def _merge_transposed(parts: np.ndarray, dtype: DType) -> np.ndarray:
    return _merge(contiguous(parts.swapaxes(1, 2)), dtype)


TRANSFORMS = {
    "copy": Transform("copy", _unchanged, _unchanged, _same, _same),
    "transpose": Transform("transpose", _reversed, _reversed, _transposed, _transposed, axes=2),
    # In-place ABN multiplies by |weight| + eps; plain BN by its weight. mapillary/inplace_abn 92.
    "fold": Transform("fold", _unchanged, _unchanged, _fold, None, exact=False, slope=np.sign),
    # The same elements in the same order: a copy, of which the entry says the shape.
    "flatten": Transform("copy", _flat, None, _same, _same),
    "row": Transform("copy", lambda shape: (1, *shape), lambda shape: shape[1:], _same, _same),
    "split": Transform("split", _third, _tripled, _split, _merge, "merge"),
    "split_transpose": Transform(
        "split",
        lambda shape: _third(shape)[::-1],
        lambda shape: _tripled(shape[::-1]),
        _split_transposed,
        _merge_transposed,
        "merge",
        axes=2,
    ),
}

FLOATING = tuple(BY_NAME[name] for name in ("float32", "float64", "float16", "bfloat16"))
