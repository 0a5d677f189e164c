"""Torch's files before 1.6: four pickles in a row, then the storages one after the other.

The pickles: a magic number, the protocol version, facts on the system, the object. After them a
pickled list of storage keys, and per key the element count (int64) and the elements.
No version of torch looks at the facts on the system; what a written file says of itself is there.
The authors of STDC published their backbones so, under the suffix .tar; they are no tar files.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

from converters.errors import InputError, brief
from converters.formats.content import Content, facts_in
from converters.formats.numpy_objects import unwrap
from converters.formats.opcodes import integer_opcode, text_opcode
from converters.formats.pickle_machine import PickleMachine
from converters.formats.pickle_values import StateDict
from converters.formats.torch_objects import TORCH_GLOBALS, Storage, storage_of
from converters.formats.torch_pickle import PROTOCOL_2, state_dict_pickle

NAME = "torch-legacy"
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
# PROTO 2, then LONG1 with the ten bytes of the magic number.
SIGNATURE = b"\x80\x02\x8a\x0a" + MAGIC.to_bytes(10, "little")
REMARK = "stdc_convert"
# Of C's types where the file was written; 4 for a long is what every version of torch says.
TYPE_SIZES = {"short": 2, "int": 4, "long": 4}


def matches(data: memoryview) -> bool:
    """Return whether the bytes begin with the magic number."""
    return bytes(data[: len(SIGNATURE)]) == SIGNATURE


def read(path: Path, data: memoryview) -> Any:
    """Return the pickled object; its tensors are views of ``data``.

    Raises:
        InputError: the file is broken, big-endian or of another protocol, or refused.
    """
    storages: dict[str, Storage] = {}
    machine = PickleMachine(
        data, TORCH_GLOBALS, lambda reference: storage_of(reference, storages), str(path)
    )
    machine.load()
    protocol = machine.load(machine.position)
    system = machine.load(machine.position)
    if protocol != PROTOCOL or not isinstance(system, dict):
        raise InputError(
            f"{path}: legacy torch file of protocol {brief(protocol)}, expected {PROTOCOL}"
        )
    if system.get("little_endian") is False:
        raise InputError(f"{path}: big-endian file; save it again on a little-endian machine")
    content = machine.load(machine.position)
    keys = machine.load(machine.position)
    attach_storages(path, data, machine.position, keys, storages)
    content = unwrap(content)
    if isinstance(content, dict) and isinstance(remark := system.get(REMARK), str):
        content = StateDict(content)
        content.metadata = facts_in(remark.encode("utf-8", "surrogatepass"))
    return content


def attach_storages(
    path: Path, data: memoryview, position: int, keys: Any, storages: dict[str, Storage]
) -> None:
    """Give every storage its bytes; they follow one another from ``position`` on.

    Raises:
        InputError: the file ends early, or a count disagrees with the tensors'.
    """
    if not isinstance(keys, list) or set(keys) != set(storages):
        raise InputError(f"{path}: its list of storages is not that of its tensors; it is damaged")
    for key in keys:
        storage = storages[key]
        if position + 8 > len(data):
            raise InputError(
                f"{path}: cut off before storage {key!r}, at byte {len(data)}; download it again"
            )
        (count,) = struct.unpack("<q", data[position : position + 8])
        if count != storage.count:
            raise InputError(
                f"{path}: storage {key!r} holds {count} elements, its tensors say {storage.count}; "
                "the file is damaged: download it again"
            )
        storage.attach(data[position + 8 :])
        position += 8 + count * storage.type.itemsize


def write(file: BinaryIO, content: Content) -> None:
    """Write a state dict as ``torch.save`` did up to 1.5, one tensor at a time.

    Args:
        file: where to.
        content: the tensors, of types that have a storage class; second keys share the storage of
            the first.
    """
    keys = [str(number) for number in range(len(content.heads))]
    file.write(SIGNATURE + b"." + PROTOCOL_2 + integer_opcode(PROTOCOL) + b".")
    file.write(_system_pickle(dict(content.metadata)))
    file.write(state_dict_pickle(content, legacy=True))
    file.write(PROTOCOL_2 + b"](" + b"".join(map(text_opcode, keys)) + b"e.")
    for head, elements in content.pieces():
        file.write(struct.pack("<q", math.prod(head.shape)))
        file.writelines(elements)


def _system_pickle(metadata: dict[str, str]) -> bytes:
    sizes = b"".join(text_opcode(name) + integer_opcode(n) for name, n in TYPE_SIZES.items())
    facts = {
        "protocol_version": integer_opcode(PROTOCOL),
        "little_endian": b"\x88",
        "type_sizes": b"}(" + sizes + b"u",
    }
    if metadata:
        facts[REMARK] = text_opcode(json.dumps(metadata))
    body = b"".join(text_opcode(name) + value for name, value in facts.items())
    return PROTOCOL_2 + b"}(" + body + b"u."
