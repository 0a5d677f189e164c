"""Values of a tensor on which frameworks, devices and casts differ, counted by their bits.

By bits, since a comparison of floats is itself one of the things that differ: a processor that was
told to flush subnormals takes them for zero in comparisons as well.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import astuple, dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from converters.dtypes import DType
from converters.formats.content import Content

# Bytes looked at a time: they stay in the processor's cache between two looks.
BLOCK = 1 << 18


@dataclass(frozen=True)
class FloatBits:
    """How a floating-point type spends its bits; magnitudes are bits without the sign's.

    Attributes:
        exponent: bits of the exponent.
        mantissa: bits of the mantissa, the implied one left out.
        kind: ``ieee`` has infinities, and NaN above them; ``fn`` (finite) has its one magnitude of
            NaN at the very top; ``fnuz`` (no negative zero) has NaN in the place of −0.
        signed: there is a bit of sign.
    """

    exponent: int
    mantissa: int
    kind: Literal["ieee", "fn", "fnuz"] = "ieee"
    signed: bool = True

    @cached_property
    def width(self) -> int:
        """Bytes of an element."""
        return (self.exponent + self.mantissa + self.signed) // 8

    @cached_property
    def sign(self) -> int:
        """The bit of sign, alone: −0 where the type has one."""
        return 1 << (self.exponent + self.mantissa)

    @cached_property
    def normal(self) -> int:
        """Magnitude of the smallest normal value."""
        return 1 << self.mantissa

    @cached_property
    def infinity(self) -> int | None:
        """Magnitude of infinity, None if there is none."""
        return self.sign - self.normal if self.kind == "ieee" else None

    @cached_property
    def largest(self) -> int:
        """Magnitude of the largest finite value."""
        if self.infinity is not None:
            return self.infinity - 1
        return self.sign - (1 if self.kind == "fnuz" else 2)


# Of complex numbers each part counts by itself.
# float8: Micikevicius et al., "FP8 Formats for Deep Learning" (arXiv 2209.05433); of fnuz:
# Noune et al., "8-bit Numerical Formats" (arXiv 2206.02915); e8m0: OCP Microscaling 1.0, 5.4.1.
FLOATS = {
    "float64": FloatBits(11, 52),
    "complex128": FloatBits(11, 52),
    "float32": FloatBits(8, 23),
    "complex64": FloatBits(8, 23),
    "float16": FloatBits(5, 10),
    "bfloat16": FloatBits(8, 7),
    "float8_e5m2": FloatBits(5, 2),
    "float8_e4m3fn": FloatBits(4, 3, "fn"),
    "float8_e4m3fnuz": FloatBits(4, 3, "fnuz"),
    "float8_e5m2fnuz": FloatBits(5, 2, "fnuz"),
    "float8_e8m0fnu": FloatBits(8, 0, "fn", signed=False),
}


@dataclass(frozen=True)
class SpecialValues:
    """How many elements of a tensor are special; of a complex one, parts.

    Attributes:
        nan: NaN.
        inf: infinities of either sign.
        largest: of the largest finite magnitude, where casts that saturate leave what was beyond.
        subnormal: smaller than the smallest normal value, and not zero; devices and compilers that
            flush to zero compute with 0 instead.
        negative_zero: −0, which 1/x and copysign tell from 0.
    """

    nan: int = 0
    inf: int = 0
    largest: int = 0
    subnormal: int = 0
    negative_zero: int = 0

    def __add__(self, other: SpecialValues) -> SpecialValues:
        """Return the sums of two counts."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return SpecialValues(*(one + two for one, two in pairs))


NONE = SpecialValues()


def special_values(array: np.ndarray, kind: DType) -> SpecialValues:
    """Count the special values of a tensor.

    Args:
        array: elements in the type's carrier, in any order in memory.
        kind: their type; of integers there is nothing to count.
    """
    total, form = NONE, FLOATS.get(kind.name)
    if form is None or not array.size:
        return NONE
    words = array.ravel(order="K").view(f"<u{form.width}")
    step = BLOCK // form.width
    # One for all blocks: memory of this size would be asked of the system for each.
    room = np.empty(min(step, words.size), words.dtype)
    for start in range(0, words.size, step):
        block = words[start : start + step]
        for found in (large(block, form, room), small(block, form, room)):
            if found is not NONE:
                total += found
    return total


def large(block: np.ndarray, form: FloatBits, room: np.ndarray) -> SpecialValues:
    """Count what lies at the top of a type's range, among elements given as unsigned integers.

    Two largest values settle nearly every block: as signed integers positive NaN and infinity are
    the largest of all, as unsigned ones the negative.
    """
    signed = block.view(f"<i{form.width}")
    if form.signed and signed.max() < form.largest and block.max() < form.sign + form.largest:
        return NONE
    room = room[: block.size]
    magnitude = np.bitwise_and(block, form.sign - 1, out=room) if form.signed else block
    largest = int(np.count_nonzero(magnitude == form.largest))
    if form.infinity is None:
        return SpecialValues(nan=int(np.count_nonzero(magnitude > form.largest)), largest=largest)
    inf = int(np.count_nonzero(magnitude == form.infinity))
    return SpecialValues(int(np.count_nonzero(magnitude > form.infinity)), inf, largest)


def small(block: np.ndarray, form: FloatBits, room: np.ndarray) -> SpecialValues:
    """Count what lies at the bottom of a type's range, and at −0.

    Two smallest values settle nearly every block: among signed integers those are the negative
    ones, −0 first; among unsigned ones, less 1, the positive, since 0 becomes the largest of all.
    """
    if not form.signed:
        return NONE
    signed, one, room = block.view(f"<i{form.width}"), block.dtype.type(1), room[: block.size]
    none_below = signed.min() >= form.normal - form.sign
    if none_below and np.subtract(block, one, out=room).min() >= form.normal - 1:
        return NONE
    zeros = 0 if none_below else int(np.count_nonzero(block == form.sign))
    magnitude = np.bitwise_and(block, form.sign - 1, out=room)
    magnitude -= one
    subnormal = int(np.count_nonzero(magnitude < form.normal - 1))
    if form.kind == "fnuz":
        return SpecialValues(nan=zeros, subnormal=subnormal)
    return SpecialValues(subnormal=subnormal, negative_zero=zeros)


def counted(content: Content, into: MutableMapping[str, SpecialValues]) -> Content:
    """Return a content that counts as its tensors are written; without any there is no entry."""

    def tensors() -> Iterator[np.ndarray]:
        for head, array in zip(content.heads, content.tensors(), strict=True):
            if (found := special_values(array, head.type)) != NONE:
                into[head.key] = found
            yield array

    return replace(content, tensors=tensors)
