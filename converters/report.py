"""What was done, as a value, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from converters.errors import brief, one_line
from converters.few import in_few
from converters.plan import Entry
from converters.shown import Shown
from converters.special_values import SpecialValues
from converters.tables import plain_lines, rich_table, size

if TYPE_CHECKING:  # rich is loaded where something is shown
    from rich.console import RenderableType

# Columns of numbers.
RIGHT = (1,)
MEANING = {
    "copy": "same elements",
    "rename": "other name, same elements",
    "transpose": "weight of a Linear, its two axes exchanged",
    "split": "one tensor into its parts",
    "merge": "parts into one tensor",
    "fold": "in-place ABN scale folded into plain BN",
    "alias": "second name of a tensor, not written twice",
    "drop": "left out, with a reason",
    "missing": "in the target, without a source",
}
# Special values that are told on one line, its style, and why they matter.
SPECIAL = (
    (("nan", "inf"), "yellow", "carried over as they are"),
    (("largest",), "", "perhaps cut off by a cast"),
    (("subnormal",), "", "which devices that flush to zero take for 0"),
    (("negative_zero",), "", "which equals 0 but for its sign"),
)
SPOKEN = {
    "nan": "NaN",
    "inf": "infinite",
    "largest": "at their type's largest value",
    "subnormal": "subnormal",
    "negative_zero": "of value -0",
}


@dataclass(frozen=True)
class FileFacts:
    """A file of a conversion.

    Attributes:
        path: as it was given.
        sha256: of the content, '' where nothing was written.
        format: name of the format.
        bytes: size.
    """

    path: str
    sha256: str
    format: str
    bytes: int


@dataclass(frozen=True)
class ConversionReport(Shown):
    """What a conversion did, or with a dry run would do.

    Attributes:
        source: the file read.
        target: the file written.
        arch: the network.
        variant: whose implementation of it.
        num_classes: its outputs, None if unknown.
        entries: every source and target key, each in exactly one.
        counts: number of entries per action.
        wrapper: dict inside the source that was taken, '' for the top.
        skipped: other content of the source, in words.
        problems: what strictness would have refused; empty after a strict conversion.
        verified: the written file was read back and every tensor agreed bit for bit.
        inexact: what the target's network computes differently from the source's, in words.
        content: which part of the network the source holds, '' if all.
        hints: what to know when the target is loaded, in words.
        files: every file written: the target alone, or its shards and their index.
        special_values: how many NaN, infinities, subnormal values and the like the target's
            tensors hold, by key; tensors without any and dry runs have no entry.
    """

    source: FileFacts
    target: FileFacts
    arch: str
    variant: str
    num_classes: int | None
    entries: tuple[Entry, ...]
    counts: dict[str, int]
    wrapper: str
    skipped: dict[str, str]
    problems: tuple[str, ...]
    verified: bool
    inexact: tuple[str, ...] = ()
    content: str = ""
    hints: tuple[str, ...] = ()
    files: tuple[FileFacts, ...] = ()
    special_values: dict[str, SpecialValues] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values, fields as documented."""
        fields = ("source", "target", "action", "shape", "dtype", "reason")
        plain = asdict(self)
        plain["entries"] = [{name: entry[name] for name in fields} for entry in plain["entries"]]
        return plain

    def plain(self) -> str:
        """Return the report as lines, none of them broken: for a pipe or a file."""
        table = plain_lines(list(self._rows()), RIGHT)
        lines = (*self._head(), *table, *(text for text, _ in self._tail()))
        return "\n".join(map(one_line, lines))

    def __rich__(self) -> RenderableType:
        """Return the report for a terminal."""
        from rich.console import Group
        from rich.text import Text

        tail = (Text(one_line(text), style=style) for text, style in self._tail())
        return Group(
            *map(Text, map(one_line, self._head())), rich_table(list(self._rows()), RIGHT), *tail
        )

    def _head(self) -> Iterator[str]:
        inside = f", dict {self.wrapper!r}" if self.wrapper else ""
        yield f"source  {self.source.path}  ({self.source.format}{inside})"
        told = network_in_words(self.arch, self.variant, self.num_classes, self.content)
        yield f"network {told}"

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield the table of actions: how many, and what each means."""
        yield from action_rows(self.entries, self.counts)

    def _tail(self) -> Iterator[tuple[str, str]]:
        """Yield the lines behind the table, each with its style."""
        for line in in_few([f"{name}: {what}" for name, what in self.skipped.items()]):
            yield f"skipped {line}", ""
        for line in self.inexact:
            yield f"inexact {line}", "yellow"
        yield from special_lines(self.special_values)
        for line in in_few(self.hints):
            yield f"hint    {line}", "cyan"
        for problem in in_few(self.problems):
            yield f"problem {problem}", "red"
        if self.target.format:
            read = "read back and compared bit for bit" if self.verified else "not read back"
            told = f"{self.target.format}, {size(self.target.bytes)}, {read}"
            yield f"wrote   {self.target.path}  ({told})", "green" if self.verified else "yellow"
            for line in in_few([f"{one.path}  ({size(one.bytes)})" for one in self.files[:-1]]):
                yield f"        {line}", ""
        else:
            yield f"dry run, nothing written; the target would be {self.target.path}", ""


def network_in_words(arch: str, variant: str, num_classes: int | None, content: str) -> str:
    """Return a network's name, its outputs, and which part of it a file holds."""
    name = " ".join(filter(None, (arch, variant)))
    classes = f", {num_classes} classes" if num_classes else ""
    return f"{name}{classes}{f', {content} alone' if content else ''}"


def action_rows(
    entries: tuple[Entry, ...], counts: Mapping[str, int]
) -> Iterator[tuple[str, str, str]]:
    """Yield the table of actions: how many entries have each, and what it means."""
    yield "action", "tensors", "what it means"
    for action, count in counts.items():
        yield action, str(count), meaning(action, entries)
    yield "all", str(len(entries)), "source and target keys, each counted once"


def meaning(action: str, entries: tuple[Entry, ...]) -> str:
    """Return what an action means; for dropped and missing keys their own reasons."""
    reasons = {entry.reason for entry in entries if entry.action == action}
    if action in ("drop", "missing") and len(reasons) <= 2:
        return "; ".join(sorted(reasons))
    return MEANING.get(action, "")


def special_lines(found: Mapping[str, SpecialValues]) -> Iterator[tuple[str, str]]:
    """Yield what is said of tensors with special values, with its style: all, and some by name."""
    for names, style, why in SPECIAL:
        holding = [key for key, one in found.items() if any(getattr(one, name) for name in names)]
        if holding:
            counts = {name: sum(getattr(found[key], name) for key in holding) for name in names}
            told = ", ".join(f"{n} {SPOKEN[name]}" for name, n in counts.items() if n)
            more = f" and {len(holding) - 3} more" if len(holding) > 3 else ""
            yield f"values  {told}, {why}: {', '.join(map(brief, holding[:3]))}{more}", style
