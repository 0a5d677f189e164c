"""Safetensors files: a length (uint64), a JSON header, then the bytes of the tensors.

The header gives each tensor's type, shape and byte range. The format is small enough to be read
and written here: the ``safetensors`` library wants all tensors in memory to write them, and numpy
arrays cannot show it bfloat16 or float8.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from converters.checkpoint import LazyTensor
from converters.dtypes import BY_SAFETENSORS
from converters.errors import InputError
from converters.formats.content import Content, json_object
from converters.formats.pickle_machine import StateDict

NAME = "safetensors"
# The library's own bound.
MAX_HEADER = 100_000_000


def matches(data: memoryview) -> bool:
    """Return whether the bytes begin with a header length and a JSON object."""
    return len(data) > 9 and data[8] == ord("{") and header_length(data) <= len(data) - 8


def header_length(data: memoryview) -> int:
    """Return the announced length of the header in bytes."""
    (length,) = struct.unpack("<Q", data[:8])
    return int(length)


def read(path: Path, data: memoryview) -> Any:
    """Return the tensors by key, and the file's metadata as an attribute.

    A second name of a tensor stands in the metadata, as ``safetensors.torch.save_model`` has it.

    Raises:
        InputError: the header is broken, or a tensor lies outside the file.
    """
    size = header_length(data)
    if size > MAX_HEADER:
        raise InputError(f"{path}: a safetensors header of {size} bytes is beyond all reason")
    try:
        header = json_object(bytes(data[8 : 8 + size]))
    except ValueError as error:
        raise InputError(f"{path}: the safetensors header is no JSON object ({error})") from error
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise InputError(f"{path}: the metadata of the safetensors header is no object")
    body = data[8 + size :]
    content = StateDict({key: tensor_of(path, key, entry, body) for key, entry in header.items()})
    content.metadata = {}
    for name, value in metadata.items():
        if value in content and name not in header:
            content[name] = content[value]
        else:
            content.metadata[name] = str(value)
    return content


def tensor_of(path: Path, key: str, entry: Any, body: memoryview) -> LazyTensor:
    """Return one tensor of the header.

    Raises:
        InputError: its type is unknown, or its byte range does not fit type, shape and file.
    """
    try:
        dtype = BY_SAFETENSORS[entry["dtype"]]
        shape = tuple(int(size) for size in entry["shape"])
        start, end = (int(bound) for bound in entry["data_offsets"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: tensor {key!r} has an unreadable header ({error!r})") from error
    needed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or not 0 <= start <= end <= len(body) or end - start != needed:
        raise InputError(
            f"{path}: tensor {key!r} needs {needed} bytes, its range is {start}-{end} of "
            f"{len(body)}; the file is damaged or cut off: download it again"
        )
    raw = body[start:end]
    return LazyTensor(
        shape, dtype, lambda: np.frombuffer(raw, dtype.numpy).reshape(shape), (start, end)
    )


def write(file: BinaryIO, content: Content) -> None:
    """Write tensors one at a time behind their header.

    A second name is not written again: the metadata give its first, as
    ``safetensors.torch.load_model`` expects it.
    """
    header: dict[str, Any] = {"__metadata__": dict(content.metadata) | dict(content.aliases)}
    position = 0
    for head in content.heads:
        header[head.key] = {
            "dtype": head.type.safetensors,
            "shape": list(head.shape),
            "data_offsets": [position, position + head.nbytes],
        }
        position += head.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    # Padded, so that the elements begin at a multiple of eight.
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for _, elements in content.pieces():
        file.writelines(elements)
