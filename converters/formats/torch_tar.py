"""Torch's files before 0.1.10: a tar of ``storages``, ``tensors`` and ``pickle``.

``storages``: a pickled count, then per storage a pickled (key, location, class), the element count
(int64) and the elements; then the pickled list of storages that are parts of others.
``tensors``: a pickled count, then per tensor a pickled (key, storage, class), the number of
dimensions (int32, and four bytes unused), sizes, strides and offset (int64).
``pickle``: the object, whose persistent ids are keys of tensors and storages.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO, cast

from converters.checkpoint import LazyTensor
from converters.dtypes import DType
from converters.errors import InputError
from converters.formats.numpy_objects import unwrap
from converters.formats.pickle_machine import BROKEN, PickleMachine
from converters.formats.pickle_values import Known
from converters.formats.torch_objects import TORCH_GLOBALS, Storage, part_of, tensor_of

NAME = "torch-tar"
MEMBERS = ("storages", "tensors", "pickle")
MAGIC = b"ustar"


def matches(data: memoryview) -> bool:
    """Return whether the bytes are a tar archive that begins with one of the three members."""
    first = bytes(data[:100]).rstrip(b"\0").removeprefix(b"./").decode("latin-1")
    return bytes(data[257:262]) == MAGIC and first in MEMBERS


def read(path: Path, data: memoryview) -> Any:
    """Return the pickled object; its tensors are views of ``data``.

    Raises:
        InputError: a member is missing or broken, or the pickle is refused.
    """
    parts = members(path, data)
    try:
        storages = read_storages(path, parts["storages"])
        objects = storages | read_tensors(path, parts["tensors"], storages)
    except BROKEN as error:
        raise InputError(f"{path}: not a readable torch tar file ({error!r})") from error
    machine = PickleMachine(
        parts["pickle"], TORCH_GLOBALS, lambda key: objects[str(key)], str(path)
    )
    return unwrap(machine.load())


def members(path: Path, data: memoryview) -> dict[str, memoryview]:
    """Return the bytes of the three members.

    Raises:
        InputError: one is missing, or the archive is broken.
    """
    import tarfile  # slow to load, and few files need it

    try:
        with tarfile.open(mode="r:", fileobj=cast("BinaryIO", data.obj)) as archive:
            found = {entry.name.removeprefix("./"): entry for entry in archive if entry.isreg()}
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise InputError(f"{path}: a broken tar archive ({error}); download it again") from error
    missing = [name for name in MEMBERS if name not in found]
    if missing:
        raise InputError(f"{path}: a tar archive without {missing[0]!r}: no torch checkpoint")
    places = {name: found[name] for name in MEMBERS}
    if any(entry.offset_data + entry.size > len(data) for entry in places.values()):
        raise InputError(f"{path}: the tar archive is cut off; download it again")
    return {
        name: data[entry.offset_data : entry.offset_data + entry.size]
        for name, entry in places.items()
    }


def read_storages(path: Path, data: memoryview) -> dict[str, Any]:
    """Return the storages by key."""
    machine = PickleMachine(data, TORCH_GLOBALS, where=str(path))
    storages: dict[str, Storage] = {}
    for _ in range(int(machine.load())):
        key, _, kind = machine.load(machine.position)
        count = machine.number("<q")
        storage = Storage(str(key), element_type(kind), count, where=str(path))
        storage.attach(machine.take(count * storage.type.itemsize))
        storages[str(key)] = storage
    for key, root, offset, count in machine.load(machine.position):
        storages[str(key)] = part_of(storages[str(root)], key, offset, count)
    return storages


def read_tensors(
    path: Path, data: memoryview, storages: dict[str, Storage]
) -> dict[str, LazyTensor]:
    """Return the tensors by key."""
    machine = PickleMachine(data, TORCH_GLOBALS, where=str(path))
    tensors = {}
    for _ in range(int(machine.load())):
        key, storage, _ = machine.load(machine.position)
        axes = machine.number("<i")
        machine.take(4)
        *numbers, offset = struct.unpack(f"<{2 * axes + 1}q", machine.take(16 * axes + 8))
        shape, stride = numbers[:axes], numbers[axes:]
        tensors[str(key)] = tensor_of(storages[str(storage)], offset, shape, stride)
    return tensors


def element_type(kind: Any) -> DType:
    """Return what a storage class holds.

    Raises:
        TypeError: it is no storage class.
    """
    if not (isinstance(kind, Known) and isinstance(kind.value, DType)):
        raise TypeError("a storage of no known element type")
    return kind.value
