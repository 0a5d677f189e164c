"""The engine of planning: the rows of every layer, applied to the keys of a checkpoint.

It knows no layouts; those are in :mod:`converters.rules`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from converters.entries import Entry
from converters.layouts import Layer, Layout, Tie
from converters.planning.doubts import doubtful_norms, one_sided
from converters.planning.passage import Passage
from converters.planning.rows import Rows
from converters.planning.second_names import (
    alias,
    second_names,
    targets_seconds,
    through_rules,
)
from converters.planning.source import Source
from converters.rules import TensorRule


def plan_entries(
    source: Source, layout: Layout, dtype: str, to: str
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Return every key's fate, and what forbids a strict conversion, one line each.

    Args:
        source: the checkpoint's keys by name.
        layout: the network.
        dtype: element type of floating-point tensors in the target, or ``keep``.
        to: the target framework.
    """
    passage, problems = Passage(source.framework, to, dtype), list[str]()
    rows = Rows(source, layout, passage, problems)
    planner = _Planner(source, layout, passage, rows, problems)
    entries = tuple(planner.entries())
    # Several layers may share one assumption.
    return entries, tuple(dict.fromkeys(problems))


@dataclass
class _Planner:
    """Goes through the layers once and takes each key off the list of those still open."""

    source: Source
    layout: Layout
    passage: Passage
    rows: Rows
    problems: list[str]
    used: set[str] = field(default_factory=set)

    def entries(self) -> Iterator[Entry]:
        yield from self.dropped()
        for layer in self.layout.layers:
            self.problems.extend(layer.problems)
            if layer.assumption:
                self.problems.append(f"assumed: {layer.assumption}")
            for row in layer.rows:
                yield from self.row(layer, row)
        yield from self.second_names()
        self.problems.extend(doubtful_norms(self.source, self.layout))
        for name in self.source.names:
            if name not in self.used:
                yield self.left_over(name)

    def dropped(self) -> Iterator[Entry]:
        for name, reason in self.source.dropped.items():
            self.used.add(name)
            yield self.rows.drop((name,), reason)

    def row(self, layer: Layer, row: TensorRule) -> Iterator[Entry]:
        sources, targets = self.rows.source_names(layer, row), layer.keys(row, self.passage.to)
        present = [name for name in sources if name in self.source.names]
        present = [name for name in present if name not in self.source.dropped]
        self.used.update(present)
        if present and len(present) == len(sources):
            yield from self.rows.found(layer, row, sources, targets)
            return
        if not present and (tie := self.stand_in(layer, row)):
            names = self.rows.source_names(tie.layer, tie.row)
            self.used.update(names)
            yield from self.rows.found(tie.layer, tie.row, names, targets)
            return
        for name in present:
            yield self.rows.drop((name,), "the other parts of the tensor are missing")
        if row.torch in layer.shapes and (targets or present):
            yield from self.rows.gap(layer, row, [name for name in sources if name not in present])

    def second_names(self) -> Iterator[Entry]:
        """Yield the entries of second names: those that the source has and those of the target."""
        for second, first in second_names(self.source, self.layout).items():
            if second not in self.used and {second, first} <= self.source.names.keys():
                self.used.add(second)
                entry, problem = alias(self.source, second, first)
                self.problems += [problem] if problem else []
                yield entry
        yield from self.tied()
        yield from targets_seconds(self.layout, self.passage)

    def stand_in(self, layer: Layer, row: TensorRule) -> Tie | None:
        """Return a second name under which the source holds a tensor, None if it does not."""
        to = self.passage.to
        for tie in self.layout.ties:
            names = self.rows.source_names(tie.layer, tie.row)
            if tie.owner.keys(tie.owned, to) == layer.keys(row, to) and self.open(names):
                return tie
        return None

    def open(self, names: tuple[str, ...]) -> bool:
        """Return whether the source holds all of some names, and none is left out or used."""
        closed = self.used | self.source.dropped.keys()
        return bool(names) and set(names) <= self.source.names.keys() - closed

    def tied(self) -> Iterator[Entry]:
        """Yield the entries of second names that are laid out otherwise than the first.

        Both frameworks may tie such tensors, and mean another thing by it.
        """
        ties = self.layout.ties if self.passage.origin != self.passage.to else ()
        for tie in (one for one in ties if not one.alike):
            seconds = self.rows.source_names(tie.layer, tie.row)
            firsts = self.rows.source_names(tie.owner, tie.owned)
            if self.open(seconds) and set(firsts) <= self.source.names.keys():
                self.used.update(seconds)
                entry, problem = through_rules(self.source, self.passage, tie, seconds, firsts)
                self.problems += [problem] if problem else []
                yield entry
            elif self.source.rules.kind_of(tie.layer.path) != tie.layer.kind:
                self.problems.append(one_sided(tie, self.passage))

    def left_over(self, name: str) -> Entry:
        tensor = self.source.tensor(name)
        self.problems.append(
            f"unaccounted for: {self.source.names[name]!r} {list(tensor.shape)} {tensor.dtype} is "
            f"in the source and nowhere in {self.layout.arch}"
        )
        return self.rows.drop((name,), "nowhere in the target network")
