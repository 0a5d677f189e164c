"""What a writer is given: all heads at once, the elements one tensor at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converters.bits import blocks
from converters.dtypes import DType

# Bytes that JSON may take once it is read, roughly: that of half a million tensors.
ROOM = 300 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """A tensor to be written, without its elements.

    Attributes:
        key: its name in the file.
        type: its element type.
        shape: its sizes.
    """

    key: str
    type: DType
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return math.prod(self.shape) * self.type.itemsize


@dataclass(frozen=True)
class Content:
    """A state dict to be written.

    Attributes:
        heads: the tensors, in the file's order.
        tensors: gives their elements in the same order, in the types' carriers.
        aliases: second keys, each with the key of its tensor.
        metadata: what the file shall say of itself, where its format has room for it.
    """

    heads: tuple[Head, ...]
    tensors: Callable[[], Iterable[np.ndarray]]
    aliases: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def pieces(self) -> Iterator[tuple[Head, Iterator[memoryview]]]:
        """Yield every tensor's head and its bytes, block by block: C order, little-endian."""
        for head, array in zip(self.heads, self.tensors(), strict=True):
            found = np.asarray(array, dtype=head.type.numpy)
            yield head, (block.data for block in blocks(found))


def json_object(text: bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ValueError: it is none, or names a key twice.
    """
    found = json_value(text, ROOM)
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - one error for all that is wrong with it
    return found


def json_value(text: bytes, room: int) -> Any:
    """Return what a JSON text holds.

    Args:
        text: the text.
        room: how much memory its lists and entries may take, in bytes.

    Raises:
        ValueError: it is no JSON, is nested or repeated without end, or names a key twice.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("it names a key twice")
        return dict(pairs)

    if 96 * (text.count(b"{") + text.count(b"[")) + 48 * text.count(b",") > room:
        raise ValueError("it holds more lists and entries than any file of its kind")
    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError as error:
        raise ValueError("it is nested without end") from error


def facts_in(text: memoryview | bytes) -> dict[str, str]:
    """Return what a file that we wrote says of itself, {} if that is not readable."""
    try:
        return {key: str(value) for key, value in json_object(bytes(text)).items()}
    except ValueError:
        return {}


def content_of(
    rows: Iterable[tuple[str, DType, np.ndarray]], aliases: Mapping[str, str] | None = None
) -> Content:
    """Return the content of tensors that are in memory: key, element type and elements of each."""
    kept = list(rows)
    heads = tuple(Head(key, dtype, array.shape) for key, dtype, array in kept)
    return Content(heads, lambda: [array for _, _, array in kept], aliases or {})
