"""The element types of tensors, by the names that the formats use.

numpy has no bfloat16 and no float8: such tensors travel as unsigned integers of the same width,
bit for bit. Paddle itself reads a uint16 array as bfloat16.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from converters.errors import InputError


@dataclass(frozen=True)
class DType:
    """One element type.

    Attributes:
        name: torch's and paddle's name.
        carrier: the numpy type whose bits stand for it.
        storage: torch's storage class, empty for the types that torch saves untyped.
        safetensors: its code in safetensors files, empty where there is none.
    """

    name: str
    carrier: str
    storage: str = ""
    safetensors: str = ""

    @cached_property
    def numpy(self) -> np.dtype[np.generic]:
        """The carrier as a little-endian numpy type."""
        return np.dtype(self.carrier).newbyteorder("<")

    @cached_property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.numpy.itemsize


_ROWS = (
    DType("float32", "f4", "FloatStorage", "F32"),
    DType("float64", "f8", "DoubleStorage", "F64"),
    DType("float16", "f2", "HalfStorage", "F16"),
    DType("bfloat16", "u2", "BFloat16Storage", "BF16"),
    DType("int64", "i8", "LongStorage", "I64"),
    DType("int32", "i4", "IntStorage", "I32"),
    DType("int16", "i2", "ShortStorage", "I16"),
    DType("int8", "i1", "CharStorage", "I8"),
    DType("uint8", "u1", "ByteStorage", "U8"),
    DType("bool", "?", "BoolStorage", "BOOL"),
    DType("complex64", "c8", "ComplexFloatStorage", "C64"),
    DType("complex128", "c16", "ComplexDoubleStorage"),
    DType("float8_e4m3fn", "u1", safetensors="F8_E4M3"),
    DType("float8_e5m2", "u1", safetensors="F8_E5M2"),
    DType("float8_e4m3fnuz", "u1", safetensors="F8_E4M3FNUZ"),
    DType("float8_e5m2fnuz", "u1", safetensors="F8_E5M2FNUZ"),
    DType("float8_e8m0fnu", "u1", safetensors="F8_E8M0"),
    DType("uint16", "u2", safetensors="U16"),
    DType("uint32", "u4", safetensors="U32"),
    DType("uint64", "u8", safetensors="U64"),
)
BY_NAME = {row.name: row for row in _ROWS}
BY_STORAGE = {row.storage: row for row in _ROWS if row.storage}
BY_SAFETENSORS = {row.safetensors: row for row in _ROWS if row.safetensors}

# What paddle.load makes tensors of; a file of it keeps no other type apart.
_NOT_PADDLE = ("float8", "uint16", "uint32", "uint64")
PADDLE_TYPES = frozenset(row.name for row in _ROWS if not row.name.startswith(_NOT_PADDLE))


def of_paddle_array(array_type: np.dtype[np.generic]) -> DType:
    """Return the element type that Paddle gives to an array of a file; uint16 means bfloat16.

    Raises:
        InputError: Paddle has no such type.
    """
    name = "bfloat16" if array_type == np.uint16 else array_type.name
    if name not in BY_NAME:
        raise InputError(
            f"a tensor of numpy type {array_type} has no counterpart in either framework"
        )
    return BY_NAME[name]
