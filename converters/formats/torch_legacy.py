"""Torch's files before 1.6: four pickles in a row, then the storages one after the other.

The pickles: a magic number, the protocol version, facts on the system, the object. After them a
pickled list of storage keys, and per key the element count (int64) and the elements.
The authors of STDC published their backbones so, under the suffix .tar; they are no tar files.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.formats.numpy_objects import unwrap
from converters.formats.pickle_machine import PickleMachine
from converters.formats.torch_objects import TORCH_GLOBALS, Storage, storage_of

NAME = "torch-legacy"
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
# PROTO 2, then LONG1 with the ten bytes of the magic number.
SIGNATURE = b"\x80\x02\x8a\x0a" + MAGIC.to_bytes(10, "little")


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
        raise InputError(f"{path}: legacy torch file of protocol {protocol!r}, expected {PROTOCOL}")
    if system.get("little_endian") is False:
        raise InputError(f"{path}: big-endian file; save it again on a little-endian machine")
    content = machine.load(machine.position)
    keys = machine.load(machine.position)
    attach_storages(path, data, machine.position, keys, storages)
    return unwrap(content)


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
