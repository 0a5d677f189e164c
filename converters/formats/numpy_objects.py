"""The numpy objects that Paddle's files consist of, and that torch's files hold beside weights."""

from __future__ import annotations

import math
import re
from functools import partial
from operator import index
from typing import Any

import numpy as np

from converters.checkpoint import LazyTensor
from converters.dtypes import DType, of_paddle_array
from converters.errors import InputError
from converters.formats.pickle_values import Buildable, Known
from converters.mapped import before_reading

NAME_TABLE = "StructuredToParameterName@@"
# Deeper than this nobody nests weights; a dict may hold itself.
MAX_DEPTH = 4
_NUMBER = re.compile(r"[<>|=]?([fiuc]\d{1,2}|b1|\?)")


class PickledDType(Buildable):
    """A numpy dtype of the file.

    Raises:
        InputError: it is not of numbers.
    """

    def __init__(self, code: str, *_: Any) -> None:
        if not _NUMBER.fullmatch(str(code)):
            raise InputError(
                f"refused, it holds a numpy array of type {str(code)[:20]!r}, which is none of "
                "numbers; save the weights alone (the state dict) and try again"
            )
        self.dtype = np.dtype(str(code))

    def build(self, state: Any) -> None:
        """Take the byte order, the second entry of numpy's state."""
        order = state[1]
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


class PickledArray(Buildable):
    """A numpy array of the file, its elements left in place."""

    tensor: LazyTensor | None

    def __init__(self, *_: Any) -> None:
        """Start empty: numpy fills the array in afterwards."""
        self.tensor = None

    def build(self, state: Any) -> None:
        """Take numpy's state: version, shape, dtype, Fortran order, bytes.

        Raises:
            ValueError: the bytes do not fill the shape.
        """
        _, shape, dtype, fortran, raw = state
        self.tensor = array_tensor(raw, dtype.dtype, shape, "F" if fortran else "C")


def array_tensor(raw: Any, dtype: np.dtype[Any], shape: Any, order: str) -> LazyTensor:
    """Return the tensor whose bytes are ``raw``.

    Raises:
        ValueError: the bytes do not fill the shape.
    """
    shape = tuple(map(index, shape))
    data = raw.encode("latin-1") if isinstance(raw, str) else raw
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(data):
        raise ValueError(f"{len(data)} bytes for shape {shape} of {dtype}")
    kind = of_paddle_array(dtype)
    # A tensor that stands under two keys of the file is one object.
    return LazyTensor(shape, kind, partial(elements, data, dtype, kind, shape, order), object())


def elements(
    data: memoryview | bytes, dtype: np.dtype[Any], kind: DType, shape: tuple[int, ...], order: str
) -> np.ndarray:
    """Return the elements of an array in the carrier of their type."""
    before_reading(len(data), data)
    flat = np.frombuffer(data, dtype=dtype).astype(kind.numpy, copy=False)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _scalar(dtype: Any, raw: Any = b"") -> Any:
    return np.frombuffer(raw, dtype=dtype.dtype)[0].item()


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> PickledArray:
    array = PickledArray()
    array.tensor = array_tensor(raw, dtype.dtype, shape, order)
    return array


def _known() -> dict[tuple[str, str], Known]:
    functions: dict[tuple[str, str], Any] = {
        ("numpy", "dtype"): PickledDType,
        ("_codecs", "encode"): lambda text, _: text.encode("latin-1"),
    }
    for core in ("numpy.core", "numpy._core"):
        functions[(f"{core}.multiarray", "_reconstruct")] = PickledArray
        functions[(f"{core}.multiarray", "scalar")] = _scalar
        functions[(f"{core}.numeric", "_frombuffer")] = _from_buffer
    arrays = (PickledArray, _from_buffer)
    table = {
        key: Known(".".join(key), call=call, tensor=call in arrays)
        for key, call in functions.items()
    }
    table[("numpy", "ndarray")] = Known("numpy.ndarray")
    return table


NUMPY_GLOBALS = _known()


def unwrap(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Replace arrays by tensors, (name, array) pairs by their tensor, and drop the name table.

    Raises:
        InputError: an array was begun and never filled.
    """
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], PickledArray):
        value = value[1]
    if isinstance(value, PickledArray):
        if value.tensor is None:
            raise InputError("an array without its elements; the file is damaged: get it again")
        return value.tensor
    if isinstance(value, dict) and depth:
        inside = {key: item for key, item in value.items() if key != NAME_TABLE}
        return {key: unwrap(item, depth - 1) for key, item in inside.items()}
    return value
