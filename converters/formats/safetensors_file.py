"""Safetensors files, read by the ``safetensors`` library's own format rules.

A length (uint64), a JSON header with each tensor's type, shape and byte range, then the bytes.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from converters.checkpoint import LazyTensor
from converters.dtypes import BY_SAFETENSORS
from converters.errors import InputError

NAME = "safetensors"
MAX_HEADER = 100_000_000


def matches(data: memoryview) -> bool:
    """Return whether the bytes begin with a header length and a JSON object."""
    return len(data) > 9 and data[8] == ord("{") and header_length(data) <= len(data) - 8


def header_length(data: memoryview) -> int:
    """Return the announced length of the header in bytes."""
    (length,) = struct.unpack("<Q", data[:8])
    return int(length)


def read(path: Path, data: memoryview) -> Any:
    """Return the tensors by key.

    Raises:
        InputError: the header is broken, or a tensor lies outside the file.
    """
    size = header_length(data)
    if size > MAX_HEADER:
        raise InputError(f"{path}: a safetensors header of {size} bytes is beyond all reason")
    try:
        header = json.loads(bytes(data[8 : 8 + size]))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: the safetensors header is no JSON ({error})") from error
    body = data[8 + size :]
    return {
        key: tensor_of(path, key, entry, body)
        for key, entry in header.items()
        if key != "__metadata__"
    }


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
