"""A checkpoint as every format gives it: a mapping from key to a tensor not yet read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from converters.background import Background, digest_of
from converters.dtypes import DType
from converters.errors import InputError, brief
from converters.mapped import MappedFile

# Of an array of numpy, before its second version; no layer's weight has nearly as many.
MAX_DIMENSIONS = 32


@dataclass(frozen=True, slots=True)
class LazyTensor:
    """A tensor of a file, read when asked for.

    Attributes:
        shape: its sizes; () for a scalar.
        type: its element type.
        read: gives its elements in C order, in the type's numpy carrier.
        identity: equal for two tensors that are views of the same bytes.
    """

    shape: tuple[int, ...]
    type: DType
    read: Callable[[], np.ndarray] = field(repr=False, compare=False)
    identity: Hashable = None

    @property
    def dtype(self) -> str:
        """Name of the element type, as torch and paddle spell it."""
        return self.type.name

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return math.prod(self.shape) * self.type.itemsize

    def load(self) -> np.ndarray:
        """Read the tensor: a contiguous array; bfloat16 as uint16, float8 as uint8 (same bits)."""
        return np.ascontiguousarray(self.read()).reshape(self.shape)


# Paddle's BatchNorm has no place for them; a converted file says them of itself.
COUNTERS = "num_batches_tracked"


@dataclass(frozen=True)
class Checkpoint(Mapping[str, LazyTensor]):
    """The tensors of one file by key, in the file's order.

    Attributes:
        path: where it was read from.
        format: ``torch-zip``, ``torch-legacy``, ``safetensors`` or ``pdparams``.
        tensors: the chosen tensors by key.
        wrapper: path of the dict inside the file that holds them, '' for the top.
        skipped: other content of the file, by path, described in words.
        metadata: what the file says of itself in words.
        files: the files that it lies in; ``path`` alone, or an index and its shards.
        maps: the same, open and mapped into memory.
        others: other dicts of tensors in the file, by path.
        rivals: those of them that might as well be meant.
    """

    path: Path
    format: str
    tensors: Mapping[str, LazyTensor] = field(repr=False)
    wrapper: str = ""
    skipped: Mapping[str, str] = field(default_factory=dict, repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: tuple[Path, ...] = ()
    maps: tuple[MappedFile, ...] = field(default=(), repr=False, compare=False)
    others: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse shapes that no array has, though they may ask for no bytes at all.

        Raises:
            InputError: naming the tensor.
        """
        for key, tensor in self.tensors.items():
            if not _has_array(tensor):
                raise InputError(
                    f"{self.path}: tensor {brief(key)} has the shape {brief(tensor.shape)}, and no "
                    f"array may: at most {MAX_DIMENSIONS} dimensions and 2^63 bytes, empty or not; "
                    "the file is damaged or made to mislead"
                )

    def __getitem__(self, key: str) -> LazyTensor:
        """Return one tensor."""
        return self.tensors[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys in the file's order."""
        return iter(self.tensors)

    def __len__(self) -> int:
        """Return the number of tensors."""
        return len(self.tensors)

    @property
    def place(self) -> str:
        """The file, and of several dicts of tensors which one; for messages."""
        inside = f"dict {self.wrapper!r}" if self.wrapper else ""
        if self.others:
            inside = f"{inside or 'its top'}; --key takes another: {_listed(self.others)}"
        return f"{self.path} ({inside})" if inside else str(self.path)

    @property
    def doubt(self) -> str:
        """Why another dict of the file might be meant, '' if none might."""
        if not self.rivals:
            return ""
        chosen = f"dict {self.wrapper!r}" if self.wrapper else "top of the file"
        return (
            f"the weights are those of the {chosen}; {_listed(self.rivals)} "
            f"hold{'s' if len(self.rivals) == 1 else ''} weights too; choose one with --key"
        )

    @property
    def framework(self) -> Literal["torch", "paddle"]:
        """Whose names and layouts it has: by format, else by metadata, else by its names."""
        if self.format.startswith("pdparams") or self.metadata.get("format") in ("pd", "paddle"):
            return "paddle"
        named = any(key.endswith(("._mean", "._variance")) for key in self.tensors)
        return "paddle" if named and self.metadata.get("format") != "pt" else "torch"

    @cached_property
    def counters(self) -> Mapping[str, int]:
        """Torch's counts of batches, which a converted file carries along outside its weights."""
        try:
            found = json.loads(self.metadata.get(COUNTERS, "{}"))
        except (ValueError, RecursionError):
            return {}
        items = found.items() if isinstance(found, dict) else ()
        return {key: n for key, n in items if type(n) is int and -(2**63) <= n < 2**63}

    def digest(self) -> Background[str]:
        """Return the SHA-256 of its files, computed beside other work since the first call."""
        return self.maps[0].digest() if len(self.maps) == 1 else self._digest

    @cached_property
    def _digest(self) -> Background[str]:
        return digest_of(*self.maps)

    def release(self) -> None:
        """Give the memory of the pages read so far back; they are read again when needed."""
        for file in self.maps:
            file.release()

    def require_unchanged(self) -> None:
        """Refuse files that somebody changed since they were opened.

        Raises:
            InputError: naming the file.
        """
        for file in self.maps:
            file.require_unchanged()


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) if name else "'' (the top)" for name in names)


def _has_array(tensor: LazyTensor) -> bool:
    """Tell whether an array can have a tensor's shape; sizes of 0 do not count, as in numpy."""
    room = math.prod(size for size in tensor.shape if size) * tensor.type.itemsize
    return len(tensor.shape) <= MAX_DIMENSIONS and room < 2**63
