"""Paddle's .pdparams: one pickle of (nested) dicts of numpy arrays.

Paddle reads such a file with a full unpickler; ours runs nothing. Written files name numpy's
``numpy.core`` so that old and new numpy read them. What a file says of itself stands before the
dict as a text that is taken off the stack at once: every unpickler passes over it.
"""

from __future__ import annotations

import json
import math
import struct
from operator import index
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from converters.checkpoint import LazyTensor
from converters.dtypes import DType
from converters.errors import InputError
from converters.formats.beside import BESIDE_GLOBALS
from converters.formats.content import Content, facts_in
from converters.formats.numpy_objects import NUMPY_GLOBALS, unwrap
from converters.formats.opcodes import (
    get_opcode,
    integer_opcode,
    put_opcode,
    text_opcode,
    tuple_opcodes,
)
from converters.formats.pickle_machine import PickleMachine
from converters.formats.pickle_values import Known, StateDict, ordered_dict

NAME = "pdparams"
SLICE_TABLE = "UnpackBigParamInfor@@"
REMARK = "stdc-convert "
POP = b"0"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
NDARRAY = b"cnumpy\nndarray\n"
# _reconstruct(ndarray, (0,), b"b") of the two remembered globals; its state follows.
EMPTY_ARRAY = b"h\x00h\x01K\x00\x85C\x01b\x87R"


def _known() -> dict[tuple[str, str], Known]:
    table = BESIDE_GLOBALS | NUMPY_GLOBALS
    table[("collections", "OrderedDict")] = Known("collections.OrderedDict", call=ordered_dict)
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
    machine = PickleMachine(data, PADDLE_GLOBALS, where=str(path))
    content = unwrap(machine.load())
    if isinstance(content, dict):
        content = StateDict(join_slices(content))
        content.metadata = read_remark(machine)
    return content


def join_slices(content: dict[Any, Any]) -> dict[Any, Any]:
    """Return the dict with those tensors whole that Paddle cut for protocols 2 and 3.

    Such a pickle holds no more than 4 GiB in one piece; ``paddle.save`` cuts at 1 GiB.

    Raises:
        InputError: a slice is missing, or the slices do not fill the shape.
    """
    table = content.get(SLICE_TABLE)
    if not isinstance(table, dict):
        return content
    whole: dict[Any, Any] = {}
    taken: set[Any] = {SLICE_TABLE}
    try:
        for key, entry in table.items():
            parts = [content[name] for name in entry["slices"]]
            whole[key] = joined(parts, tuple(map(index, entry["OriginShape"])))
            taken.update(entry["slices"])
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"its sliced tensors do not fit together ({error!r})") from error
    return {key: value for key, value in content.items() if key not in taken} | whole


def joined(parts: list[LazyTensor], shape: tuple[int, ...]) -> LazyTensor:
    """Return one tensor of the slices that follow one another in it.

    Raises:
        ValueError: they do not fill the shape.
    """
    if sum(math.prod(part.shape) for part in parts) != math.prod(shape):
        raise ValueError(f"{[part.shape for part in parts]} for shape {list(shape)}")
    (kind,) = {part.type for part in parts}

    def read_all() -> np.ndarray:
        return np.concatenate([part.load().reshape(-1) for part in parts]).reshape(shape)

    return LazyTensor(shape, kind, read_all)


def read_remark(machine: PickleMachine) -> dict[str, str]:
    """Return what a file that we wrote says of itself."""
    machine.position = 2
    if bytes(machine.data[7 : 7 + len(REMARK)]) != REMARK.encode():
        return {}
    machine.take(1)
    return facts_in(machine.take(machine.number("<I"))[len(REMARK) :])


def write(file: BinaryIO, content: Content) -> None:
    """Write a state dict as one pickle of protocol 4, one tensor at a time.

    A second key names the same array again; its elements are not written twice.
    """
    file.write(b"\x80\x04")
    if content.metadata:
        file.write(text_opcode(REMARK + json.dumps(dict(content.metadata))) + POP)
    types = sorted({head.type for head in content.heads}, key=lambda kind: kind.name)
    file.write(RECONSTRUCT + put_opcode(0) + POP + NDARRAY + put_opcode(1) + POP)
    made = (_dtype(kind) + put_opcode(place) + POP for place, kind in enumerate(types, start=2))
    file.writelines(made)
    first = 2 + len(types)
    places = {head.key: first + number for number, head in enumerate(content.heads)}
    file.write(b"}(")
    for head, elements in content.pieces():
        file.write(text_opcode(head.key) + EMPTY_ARRAY)
        file.write(b"(K\x01" + tuple_opcodes(head.shape) + get_opcode(2 + types.index(head.type)))
        file.write(b"\x89\x8e" + struct.pack("<Q", head.nbytes))
        file.writelines(elements)
        file.write(b"tb" + (put_opcode(places[head.key]) if content.aliases else b""))
    seconds = content.aliases.items()
    file.writelines(text_opcode(second) + get_opcode(places[one]) for second, one in seconds)
    file.write(b"u.")


def _dtype(kind: DType) -> bytes:
    """Return the opcodes of a numpy dtype: its code, then its state, the byte order of which."""
    order, code = kind.numpy.str[0], kind.numpy.str[1:]
    state = b"(K\x03" + text_opcode(order) + b"NNN" + 2 * integer_opcode(-1) + b"K\x00tb"
    return b"cnumpy\ndtype\n" + text_opcode(code) + b"\x89\x88\x87R" + state
