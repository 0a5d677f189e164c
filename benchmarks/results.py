"""RESULTS.md as text: the table at the top, and below it a section a module."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version

from benchmarks.sections import Compared, Line, Section

HEAD = """\
# Measured

Made by `make bench`, or by `python -m benchmarks --only NAME` for one section. Each says when and
on what it was measured, and has its lines in this table: ours beside another way, from one run,
taken in turn. The ratio says how many times better ours is; below 1 it is worse. A limit is what
any tool that does the same has to do at least.
"""
COLUMNS = "| section | what | ours | the other way | ratio |\n|---|---|---|---|---|"
ROW = re.compile(r"^\| `(\w+)` \|.*$", re.MULTILINE)
TOOK = re.compile(r"`python -m benchmarks --only (\w+)` on \S+ in (.+?),")


@dataclass(frozen=True)
class Page:
    """RESULTS.md.

    Attributes:
        rows: of the table, by the section's name.
        sections: texts by heading.
    """

    rows: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Page:
        """Read what `render` wrote."""
        head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
        rows: dict[str, tuple[str, ...]] = {}
        for found in ROW.finditer(head):
            rows[found[1]] = (*rows.get(found[1], ()), found[0])
        split = (part.partition("\n") for part in parts)
        return cls(rows, {title: body.strip() for title, _, body in split})

    def put(self, section: Section, stamp: str, lines: Sequence[Line]) -> Page:
        """Return the page with a section in the old one's place, or at the end."""
        rows = tuple(table_row(section.name, line) for line in lines if isinstance(line, Compared))
        text = "\n".join(line for line in lines if isinstance(line, str)).strip()
        return replace(
            self,
            rows=self.rows | {section.name: rows},
            sections=self.sections | {section.title: f"{stamp}\n\n{text}"},
        )

    def render(self, order: Sequence[Section]) -> str:
        """Return the text, the sections in the given order and unknown ones behind them."""
        titles = [section.title for section in order if section.title in self.sections]
        titles += [title for title in self.sections if title not in titles]
        names = [section.name for section in order if section.name in self.rows]
        names += [name for name in self.rows if name not in names]
        table = "\n".join([COLUMNS, *(row for name in names for row in self.rows[name])])
        parts = (f"## {title}\n\n{self.sections[title]}" for title in titles)
        return "\n".join([HEAD, table, *(f"\n{part}" for part in parts)]) + "\n"

    def took(self) -> dict[str, str]:
        """Return how long each section took when it was measured."""
        return dict(found for text in self.sections.values() for found in TOOK.findall(text))


def table_row(name: str, line: Compared) -> str:
    """Return a line of the table at the top."""
    below = "of the limit" if line.limit else "worse"
    ratio = f"**{line.ratio:.2f}**" if line.ratio >= 1 else f"{line.ratio:.2f}, {below}"
    cells = (number(line.ours, line.unit), f"{line.way}: {number(line.other, line.unit)}", ratio)
    return f"| `{name}` | {line.what} | {' | '.join(cells)} |"


def number(value: float, unit: str) -> str:
    """Spell a figure in three digits, or as many as it has before the point."""
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def duration(seconds: float) -> str:
    """Spell how long something took."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def stamp(section: Section, day: str, seconds: float, load: float) -> str:
    """Say how, when and on what a section was measured.

    Args:
        section: that was measured.
        day: the date.
        seconds: that it took.
        load: processes that wanted to run before it began; said where they disturb.
    """
    cores = os.cpu_count() or 1
    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "paddlepaddle", "numpy"))
    busy = f" Other work was going on: load {load:.1f}." if load > cores / 2 else ""
    return (
        f"Measured by `python -m benchmarks --only {section.name}` on {day} in "
        f"{duration(seconds)}, {cores} cores ({platform.machine()}), Python "
        f"{platform.python_version()}, {names}.{busy}"
    )
