"""What is in a checkpoint file, told without converting it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.checkpoint import Checkpoint
from converters.errors import InputError, one_line
from converters.few import in_few
from converters.formats import read_checkpoint
from converters.layouts import Layout
from converters.plan import Framework, detect, plan_conversion
from converters.shown import Shown
from converters.tables import plain_lines, rich_table, size

if TYPE_CHECKING:  # rich is loaded where something is shown
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One key of a checkpoint.

    Attributes:
        key: as the file spells it.
        shape: sizes.
        dtype: element type.
        bytes: of the elements.
        alias_of: an earlier key that is the same tensor, '' if there is none.
    """

    key: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    alias_of: str


@dataclass(frozen=True)
class Inspection(Shown):
    """What a file holds.

    Attributes:
        path: the file.
        format: of the file.
        bytes: size of the file, of index and shards together.
        framework: ``torch`` or ``paddle``, as format, metadata or names tell.
        wrapper: dict inside the file that holds the tensors, '' for the top.
        arch: the network, ``generic`` if its keys belong to no known one.
        variant: whose implementation of it.
        num_classes: its outputs, None if unknown.
        content: which part of it the file holds, '' if all.
        unknown: why the network could not be told, '' if it could.
        kinds: number of layers per kind; in an unknown network as their tensors tell it.
        doubts: what else layers could be, by how many could.
        dtypes: number of tensors per element type, aliases left out.
        tensors: every key.
        skipped: other content, in words.
        metadata: what the file says of itself.
    """

    path: str
    format: str
    bytes: int
    framework: str
    wrapper: str
    arch: str
    variant: str
    num_classes: int | None
    content: str
    unknown: str
    kinds: dict[str, int]
    doubts: dict[str, int]
    dtypes: dict[str, int]
    tensors: tuple[TensorFacts, ...]
    skipped: dict[str, str]
    metadata: dict[str, str]

    @property
    def aliases(self) -> int:
        """Number of keys that are second names."""
        return sum(bool(tensor.alias_of) for tensor in self.tensors)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    def plain(self) -> str:
        """Return the facts as lines, none of them broken."""
        return "\n".join(map(one_line, self._lines()))

    def __rich__(self) -> RenderableType:
        """Return the facts for a terminal; the tensors are in :class:`TensorTable`."""
        from rich.console import Group
        from rich.text import Text

        return Group(*(Text(one_line(line)) for line in self._lines()))

    def _lines(self) -> Iterator[str]:
        inside = f", dict {self.wrapper!r}" if self.wrapper else ""
        total = sum(tensor.bytes for tensor in self.tensors if not tensor.alias_of)
        classes = f", {self.num_classes} classes" if self.num_classes else ""
        yield f"file      {self.path}  ({self.format}, {size(self.bytes)}{inside})"
        name = " ".join(filter(None, (self.arch, self.variant)))
        content = f", {self.content} alone" if self.content else ""
        yield f"network   {name}{classes}{content}, {self.framework}"
        if self.unknown:
            yield f"          {self.unknown}"
        yield f"layers    {counted(self.kinds) or 'unknown'}"
        for doubt, count in self.doubts.items():
            yield f"doubt     {count} {'layer' if count == 1 else 'layers'}: {doubt}"
        yield f"tensors   {len(self.tensors) - self.aliases}, {size(total)}: " + counted(
            self.dtypes
        )
        yield f"aliases   {self.aliases}"
        for name, value in self.metadata.items():
            yield f"says      {name}: {value if len(value) <= 60 else value[:57] + '...'}"
        for line in in_few([f"{name}: {what}" for name, what in self.skipped.items()]):
            yield f"skipped   {line}"


def counted(numbers: Mapping[str, int]) -> str:
    """Return counts in words, most first."""
    ordered = sorted(numbers.items(), key=lambda item: -item[1])
    return ", ".join(f"{count} {name}" for name, count in ordered)


def inspect_checkpoint(path: str | Path, *, key: str | None = None) -> Inspection:
    """Return what a file holds; no tensor is read.

    Args:
        path: a checkpoint in any format.
        key: dict inside the file to take; chosen by content if None.

    Raises:
        InputError: the file cannot be read.
    """
    checkpoint = read_checkpoint(path, key=key)
    layout, unknown = layout_of(checkpoint)
    tensors = tuple(tensor_facts(checkpoint))
    checkpoint.require_unchanged()
    return Inspection(
        path=str(path),
        format=checkpoint.format,
        bytes=sum(file.length for file in checkpoint.maps),
        framework=checkpoint.framework,
        wrapper=checkpoint.wrapper,
        arch=layout.arch,
        variant=layout.variant,
        num_classes=layout.num_classes,
        content=layout.content,
        unknown=unknown,
        kinds=dict(Counter(layer.kind for layer in layout.layers if not layer.spare)),
        doubts=dict(doubts_of(layout)),
        dtypes=dict(Counter(tensor.dtype for tensor in tensors if not tensor.alias_of)),
        tensors=tensors,
        skipped=dict(checkpoint.skipped),
        metadata=dict(checkpoint.metadata),
    )


def layout_of(checkpoint: Checkpoint) -> tuple[Layout, str]:
    """Return the network that the keys belong to, and why it is not known if it is not.

    Of an unknown one the layers' kinds are told by their tensors.
    """
    try:
        return detect(checkpoint, origin=checkpoint.framework), ""
    except InputError as error:
        other: Framework = "torch" if checkpoint.framework == "paddle" else "paddle"
        told = plan_conversion(checkpoint, to=other, arch="generic").layout
        return told, str(error).removeprefix(f"{checkpoint.path}: ")


def doubts_of(layout: Layout) -> Counter[str]:
    """Return what was assumed of layers, or not told at all, with how many it concerns."""
    found: Counter[str] = Counter()
    for layer in layout.layers:
        rows = (row.doubt for row in layer.rows)
        for line in filter(None, (layer.assumption, *layer.problems, *rows)):
            found[re.sub(f"^{re.escape(repr(layer.path))}:? ?(is )?", "", line)] += 1
    return found


def tensor_facts(checkpoint: Checkpoint) -> Iterator[TensorFacts]:
    """Yield the facts of every key, in the file's order."""
    seen: dict[Hashable, str] = {}
    for key, tensor in checkpoint.items():
        first = key if tensor.identity is None else seen.setdefault(tensor.identity, key)
        alias = "" if first == key else first
        yield TensorFacts(key, tensor.shape, tensor.dtype, tensor.nbytes, alias)


@dataclass(frozen=True)
class TensorTable(Shown):
    """The table of all keys of a file."""

    tensors: tuple[TensorFacts, ...]

    def plain(self) -> str:
        """Return the table as lines, none of them broken."""
        return "\n".join(plain_lines(self._rows()))

    def __rich__(self) -> RenderableType:
        """Return the table for a terminal."""
        return rich_table(self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        titles = ("key", "shape", "type", "same tensor as")
        rows = ((one.key, str(list(one.shape)), one.dtype, one.alias_of) for one in self.tensors)
        return [titles, *rows]
