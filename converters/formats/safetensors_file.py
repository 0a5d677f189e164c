"""Safetensors files: a length (uint64), a JSON header, then the bytes of the tensors.

The header gives each tensor's type, shape and byte range. The format is small enough to be read
and written here: the ``safetensors`` library wants all tensors in memory to write them, transposed
ones as copies, and its numpy side knows neither bfloat16 nor float8.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from converters.checkpoint import LazyTensor
from converters.dtypes import BY_SAFETENSORS, DType
from converters.errors import InputError
from converters.formats.content import Content, json_object
from converters.formats.pickle_values import StateDict
from converters.mapped import before_reading

NAME = "safetensors"
# Under this name the metadata of a file that we wrote give its second names, as a JSON object.
SECOND_NAMES = "stdc_convert.second_names"
MEND = "the file is damaged: download or save it again"
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
    metadata = header.pop("__metadata__", None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict):
        raise InputError(f"{path}: the metadata of the safetensors header is no object")
    body = data[8 + size :]
    content = StateDict({key: tensor_of(path, key, entry, body) for key, entry in header.items()})
    require_filled(path, content, len(body))
    seconds = second_names(path, metadata.pop(SECOND_NAMES, "{}"), content)
    content |= {second: content[first] for second, first in seconds.items()}
    content.metadata = {name: text for name, text in metadata.items() if isinstance(text, str)}
    for name, value in metadata.items():
        # Listed as skipped: the format knows text alone, and a key may be meant as a second name.
        if not isinstance(value, str) or value in content:
            content.setdefault(f"__metadata__.{name}", value)
    return content


def second_names(path: Path, text: Any, tensors: Mapping[str, LazyTensor]) -> dict[str, str]:
    """Return the second names that a written file gives its tensors, each with the first.

    ``safetensors.torch.save_model`` leaves them in the metadata without a mark, where any other
    text may be the name of a tensor, too; those are not taken for tensors.

    Raises:
        InputError: they are unreadable, or a first name is that of no tensor.
    """
    try:
        seconds = json_object(str(text).encode())
        odd = [name for name in seconds if name in tensors or seconds[name] not in tensors]
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: its second names are unreadable ({error}); {MEND}") from error
    if odd:
        raise InputError(f"{path}: {odd[0]!r} is a second name of no tensor that is there; {MEND}")
    return seconds


def require_filled(path: Path, tensors: Mapping[str, LazyTensor], size: int) -> None:
    """Refuse tensors that overlap, or that leave bytes to none of them, as the library does.

    Raises:
        InputError: the file is damaged, or was not written by the book.
    """
    position = 0
    ranges: list[Any] = [(tensor.identity, key) for key, tensor in tensors.items()]
    for (start, end), key in sorted(ranges):
        if start != position:
            raise InputError(
                f"{path}: tensor {key!r} begins at byte {start} of the tensors, not at {position}, "
                f"where the one before it ends; {MEND}"
            )
        position = end
    if position != size:
        raise InputError(f"{path}: {size - position} bytes behind the last tensor; {MEND}")


def tensor_of(path: Path, key: str, entry: Any, body: memoryview) -> LazyTensor:
    """Return one tensor of the header.

    Raises:
        InputError: its type is unknown, or its byte range does not fit type, shape and file.
    """
    try:
        kind = entry["dtype"]
        dtype = BY_SAFETENSORS.get(kind)
        shape = tuple(int(size) for size in entry["shape"])
        start, end = (int(bound) for bound in entry["data_offsets"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: tensor {key!r} has an unreadable header ({error!r})") from error
    if dtype is None:
        known = ", ".join(BY_SAFETENSORS)
        raise InputError(f"{path}: tensor {key!r} has type {kind!r}, expected one of {known}")
    needed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or not 0 <= start <= end <= len(body) or end - start != needed:
        raise InputError(
            f"{path}: tensor {key!r} needs {needed} bytes, its range is {start}-{end} of "
            f"{len(body)}; the file is damaged or cut off: download it again"
        )
    return LazyTensor(shape, dtype, partial(elements, body, start, dtype, shape), (start, end))


def elements(body: memoryview, start: int, dtype: DType, shape: tuple[int, ...]) -> np.ndarray:
    """Return the elements of a tensor that begins at a byte of the body; nothing is copied."""
    count = math.prod(shape)
    before_reading(count * dtype.itemsize, body)
    return np.frombuffer(body, dtype.numpy, count, start).reshape(shape)


def write(file: BinaryIO, content: Content) -> None:
    """Write tensors one at a time behind their header.

    A second name is not written again: the metadata give its first.
    ``safetensors.torch.load_model`` finds out by itself.
    """
    metadata = dict(content.metadata)
    if content.aliases:
        metadata[SECOND_NAMES] = json.dumps(dict(content.aliases))
    header: dict[str, Any] = {"__metadata__": metadata}
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
