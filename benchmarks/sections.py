"""What is measured: one row a section of RESULTS.md, one module behind each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True)
class Compared:
    """A line of the table at the top: ours beside another way.

    Attributes:
        what: is compared, with the network or the file.
        ours: our figure.
        other: the other way's.
        unit: of both; `of 20` for a share.
        way: what the other way is.
        more: whether more of it is better, not less.
        limit: whether the other way is the least that any tool has to do.
    """

    what: str
    ours: float
    other: float
    unit: str
    way: str
    more: bool = False
    limit: bool = False

    @property
    def ratio(self) -> float:
        """How many times better ours is; below 1 it is worse."""
        better, worse = (self.ours, self.other) if self.more else (self.other, self.ours)
        return better / worse if worse else float("inf")


#: What a section yields: Markdown, and lines of the table at the top in between.
Line = str | Compared


@dataclass(frozen=True)
class Section:
    """A section of RESULTS.md.

    Attributes:
        name: what `--only` takes.
        title: its heading.
        module: its `rows(folder)` measures and yields Lines; the folder is empty, and removed
            afterwards. `benchmarks.<name>` if ''.
    """

    name: str
    title: str
    module: str = ""

    def rows(self, folder: Path) -> Iterator[Line]:
        """Measure."""
        yield from import_module(self.module or f"benchmarks.{self.name}").rows(folder)


SECTIONS: tuple[Section, ...] = (
    Section("conversion", "Conversion, beside the usual script (`benchmarks/usual_script.py`)"),
    Section("startup", "The start of a command, beside Python's own"),
    Section("large", "A large checkpoint, beside the limit"),
    Section("load", "Very many tensors, one very large one, many conversions at once"),
    Section(
        "parity", "The parity harness, beside the plain passes", module="benchmarks.parity_cost"
    ),
    Section("loader", "Training pictures, beside the authors' way (`benchmarks/plain_loader.py`)"),
    Section("training", "Training and evaluation"),
    Section("exports", "One picture through each export"),
    Section(
        "port_bugs",
        "Bugs planted in ports (`python -m benchmarks.port_bugs`)",
        module="benchmarks.port_bugs.matrix",
    ),
    Section(
        "padiff",
        "The parity harness, beside PaDiff on the same pair",
        module="benchmarks.padiff.cost",
    ),
    Section("padiff_bugs", "The same bugs, given to PaDiff, too", module="benchmarks.padiff.bugs"),
)
