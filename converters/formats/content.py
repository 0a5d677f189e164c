"""What a writer is given: all heads at once, the elements one tensor at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from converters.dtypes import DType


@dataclass(frozen=True)
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

    def pieces(self) -> Iterable[tuple[Head, memoryview]]:
        """Yield every tensor's head and its bytes: C order, little-endian."""
        for head, array in zip(self.heads, self.tensors(), strict=True):
            little = np.ascontiguousarray(array, dtype=head.type.numpy)
            yield head, memoryview(little.reshape(-1).view(np.uint8))


def content_of(tensors: Mapping[str, tuple[DType, np.ndarray]]) -> Content:
    """Return the content of tensors that are in memory."""
    heads = tuple(Head(key, dtype, array.shape) for key, (dtype, array) in tensors.items())
    return Content(heads, lambda: (array for _, array in tensors.values()))
