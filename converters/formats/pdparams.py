"""Paddle's .pdparams: one pickle of (nested) dicts of numpy arrays.

Paddle reads such a file with a full unpickler; ours runs nothing. Written files name numpy's
``numpy.core`` so that old and new numpy read them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from converters.checkpoint import LazyTensor
from converters.dtypes import DType, of_paddle_array
from converters.formats.opcodes import integer_opcode, text_opcode, tuple_opcodes
from converters.formats.pickle_machine import Buildable, Known, PickleMachine, StateDict

NAME = "pdparams"
NAME_TABLE = "StructuredToParameterName@@"


class PickledDType(Buildable):
    """A numpy dtype of the file."""

    def __init__(self, code: str, *_: Any) -> None:
        self.dtype = np.dtype(str(code))

    def build(self, state: Any) -> None:
        """Take the byte order, the second entry of numpy's state."""
        order = state[1]
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


class PickledArray(Buildable):
    """A numpy array of the file, its elements left in place."""

    tensor: LazyTensor

    def __init__(self, *_: Any) -> None:
        """Start empty: numpy fills the array in afterwards."""

    def build(self, state: Any) -> None:
        """Take numpy's state: version, shape, dtype, Fortran order, bytes.

        Raises:
            ValueError: the bytes do not fill the shape, or the elements are objects.
        """
        _, shape, dtype, fortran, raw = state
        self.tensor = array_tensor(raw, dtype.dtype, tuple(shape), "F" if fortran else "C")


def array_tensor(raw: Any, dtype: np.dtype[Any], shape: tuple[int, ...], order: str) -> LazyTensor:
    """Return the tensor whose bytes are ``raw``.

    Raises:
        ValueError: the bytes do not fill the shape, or the elements are objects.
    """
    if dtype.hasobject:
        raise ValueError("an array of objects")
    data = raw.encode("latin-1") if isinstance(raw, str) else raw
    count = int(np.prod(shape, dtype=np.int64))
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(data):
        raise ValueError(f"{len(data)} bytes for shape {shape} of {dtype}")
    kind = of_paddle_array(dtype)

    def read() -> np.ndarray:
        flat = np.frombuffer(data, dtype=dtype).astype(kind.numpy, copy=False)
        return flat.reshape(shape, order="F" if order == "F" else "C")

    return LazyTensor(shape, kind, read)


def _scalar(dtype: Any, raw: Any = b"") -> Any:
    return np.frombuffer(raw, dtype=dtype.dtype)[0].item()


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> PickledArray:
    array = PickledArray()
    array.tensor = array_tensor(raw, dtype.dtype, tuple(shape), order)
    return array


def _known() -> dict[tuple[str, str], Known]:
    functions: dict[tuple[str, str], Any] = {
        ("numpy", "dtype"): PickledDType,
        ("collections", "OrderedDict"): StateDict,
        ("_codecs", "encode"): lambda text, _: text.encode("latin-1"),
    }
    for core in ("numpy.core", "numpy._core"):
        functions[(f"{core}.multiarray", "_reconstruct")] = PickledArray
        functions[(f"{core}.multiarray", "scalar")] = _scalar
        functions[(f"{core}.numeric", "_frombuffer")] = _from_buffer
    table = {key: Known(".".join(key), call=call) for key, call in functions.items()}
    table[("numpy", "ndarray")] = Known("numpy.ndarray")
    # Paddle pickles a lone tensor as the tuple (name, array), made by calling tuple.
    for module in ("builtins", "__builtin__"):
        table[(module, "tuple")] = Known("builtins.tuple", call=tuple)
    return table


PADDLE_GLOBALS = _known()


def matches(data: memoryview) -> bool:
    """Return whether the bytes begin as a pickle of protocol 2 or above does."""
    return len(data) > 2 and data[0] == 0x80 and 2 <= data[1] <= 5


def read(path: Path, data: memoryview) -> Any:
    """Return the pickled object with its arrays as lazy tensors.

    Raises:
        InputError: the pickle is broken or refused.
    """
    content = PickleMachine(data, PADDLE_GLOBALS, where=str(path)).load()
    return unwrap(content)


def unwrap(value: Any) -> Any:
    """Replace arrays by tensors, (name, array) pairs by their tensor, and drop the name table."""
    if isinstance(value, PickledArray):
        return value.tensor
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], PickledArray):
        return value[1].tensor
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in value.items() if key != NAME_TABLE}
    return value


def write(file: BinaryIO, tensors: Iterable[tuple[str, DType, np.ndarray]]) -> None:
    """Write tensors one at a time as one pickle of protocol 4; only one is in memory.

    Args:
        file: where to.
        tensors: key, element type and C-ordered array in the type's carrier.

    Raises:
        ValueError: Paddle cannot hold an element type.
    """
    file.write(b"\x80\x04}(")
    for key, dtype, array in tensors:
        if of_paddle_array(dtype.numpy) != dtype:
            raise ValueError(f"{key}: a .pdparams file cannot hold {dtype.name}")
        file.write(text_opcode(key) + _array_head(dtype, array.shape))
        file.write(b"\x8e" + struct.pack("<Q", array.nbytes))
        file.write(array.astype(dtype.numpy, copy=False).data if array.size else b"")
        file.write(b"tb")
    file.write(b"u.")


def _array_head(dtype: DType, shape: tuple[int, ...]) -> bytes:
    """Return the opcodes up to the array's bytes: reconstruct, then its state."""
    code = dtype.numpy.str[1:]
    order = dtype.numpy.str[0]
    return b"".join(
        (
            b"cnumpy.core.multiarray\n_reconstruct\n",
            b"cnumpy\nndarray\n" + integer_opcode(0) + b"\x85" + b"C\x01b" + b"\x87R",
            b"(" + integer_opcode(1),
            tuple_opcodes(shape),
            b"cnumpy\ndtype\n" + text_opcode(code) + b"\x89\x88\x87R",
            b"("
            + integer_opcode(3)
            + text_opcode(order)
            + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff",
            integer_opcode(0) + b"tb",
            b"\x89",
        )
    )
