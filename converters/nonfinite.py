"""Values of a tensor that are no finite numbers, counted: NaN and infinities."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, replace

import numpy as np

from converters.dtypes import DType
from converters.formats.content import Content

# Elements looked at a time: they stay in the processor's cache between two looks.
BLOCK = 1 << 16
# Bits of infinity without a sign; all above are NaN.
INFINITY = {
    "float64": 0x7FF0000000000000,
    "complex128": 0x7FF0000000000000,
    "float32": 0x7F800000,
    "complex64": 0x7F800000,
    "float16": 0x7C00,
    "bfloat16": 0x7F80,
    "float8_e5m2": 0x7C,
}
# Of types without infinities the bits of NaN, whatever their sign.
NAN_ALONE = {
    "float8_e4m3fn": (0x7F, 0xFF),
    "float8_e4m3fnuz": (0x80,),
    "float8_e5m2fnuz": (0x80,),
    "float8_e8m0fnu": (0xFF,),
}
WORDS = {"complex128": 8, "complex64": 4}


@dataclass(frozen=True)
class Nonfinite:
    """How many elements of a tensor are no finite numbers; of a complex one, parts.

    Attributes:
        nan: NaN.
        inf: infinities of either sign.
    """

    nan: int = 0
    inf: int = 0


def nonfinite(array: np.ndarray, kind: DType) -> Nonfinite:
    """Count NaN and infinities by their bits.

    Two largest values a block settle nearly every tensor: as integers, negative NaN and infinity
    are the largest of all, and positive ones the largest without the sign's bit.

    Args:
        array: elements in the type's carrier, in any order in memory.
        kind: their type; of integers there is nothing to count.
    """
    total = Nonfinite()
    for block in words(array, kind):
        found = in_block(block, kind.name)
        total = Nonfinite(total.nan + found.nan, total.inf + found.inf)
    return total


def words(array: np.ndarray, kind: DType) -> Iterator[np.ndarray]:
    """Yield the elements of a float type as unsigned integers, in memory's order, in blocks."""
    if kind.name not in INFINITY and kind.name not in NAN_ALONE:
        return
    flat = array.ravel(order="K").view(f"<u{WORDS.get(kind.name, kind.itemsize)}")
    for start in range(0, flat.size, BLOCK):
        yield flat[start : start + BLOCK]


def in_block(block: np.ndarray, name: str) -> Nonfinite:
    """Count NaN and infinities in elements given as unsigned integers."""
    if name in NAN_ALONE:
        return Nonfinite(nan=sum(int(np.count_nonzero(block == bits)) for bits in NAN_ALONE[name]))
    infinity, sign = INFINITY[name], 1 << (8 * block.itemsize - 1)
    signed = block.view(f"<i{block.itemsize}")
    if signed.max() < infinity and block.max() < infinity + sign:
        return Nonfinite()
    unsigned = block & block.dtype.type(sign - 1)
    return Nonfinite(
        int(np.count_nonzero(unsigned > infinity)), int(np.count_nonzero(unsigned == infinity))
    )


def counted(content: Content, into: MutableMapping[str, Nonfinite]) -> Content:
    """Return a content that counts as its tensors are written; finite ones have no entry."""

    def tensors() -> Iterator[np.ndarray]:
        for head, array in zip(content.heads, content.tensors(), strict=True):
            found = nonfinite(array, head.type)
            if found != Nonfinite():
                into[head.key] = found
            yield array

    return replace(content, tensors=tensors)
