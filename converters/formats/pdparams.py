"""Paddle's .pdparams: one pickle of (nested) dicts of numpy arrays.

Paddle reads such a file with a full unpickler; ours runs nothing. Written files name numpy's
``numpy.core`` so that old and new numpy read them.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

from converters.dtypes import DType, of_paddle_array
from converters.errors import InputError
from converters.formats.content import Content
from converters.formats.numpy_objects import NUMPY_GLOBALS, unwrap
from converters.formats.opcodes import integer_opcode, text_opcode, tuple_opcodes
from converters.formats.pickle_machine import Known, PickleMachine, StateDict

NAME = "pdparams"


def _known() -> dict[tuple[str, str], Known]:
    table = dict(NUMPY_GLOBALS)
    table[("collections", "OrderedDict")] = Known("collections.OrderedDict", call=StateDict)
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


def write(file: BinaryIO, content: Content) -> None:
    """Write a state dict as one pickle of protocol 4, one tensor at a time.

    Raises:
        InputError: Paddle cannot hold an element type.
    """
    for head in content.heads:
        if of_paddle_array(head.type.numpy) != head.type:
            raise InputError(f"{head.key!r}: a .pdparams file cannot hold {head.type.name}")
    file.write(b"\x80\x04}(")
    for head, elements in content.pieces():
        file.write(text_opcode(head.key) + _array_head(head.type, head.shape))
        file.write(b"\x8e" + struct.pack("<Q", len(elements)))
        file.write(elements)
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
