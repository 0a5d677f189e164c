"""The section of RESULTS.md about the planted bugs, PaDiff beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.padiff.record import Outcome, Record
from benchmarks.padiff.settings import STRICT
from benchmarks.port_bugs.causes import KINDS
from benchmarks.port_bugs.network import NETWORKS
from benchmarks.port_bugs.score import share
from benchmarks.sections import Compared, Line

INTRODUCTION = """\
PaDiff 0.2.0 as it comes, with these versions of both frameworks, used as its documents say:
evaluation mode and outputs first; gradients, loss and five training steps where the bug needs
them; a LayerMap for recurrent layers, attention and second names; no dropout in training. The port
has its weights from our converter, running statistics too, which PaDiff does not carry over by
itself. Where it cannot pair the two networks' function calls it is asked again without them
(`PADIFF_API_CHECK=OFF`), as its FAQ says, and what either answer names counts. What it marks is
read generously: a marked call counts for each container beside it and for every layer without
parameters in there. Its defaults compare means to a relative 1e-7; strict compares every element
to 1e-5, relative and absolute. Rounding can be what it marks: the first convolution of hourglass
reaches 900, and one element in two thousand is off by more than that in the correct port, too.

A bug is told apart if it is found and the same check passes the correct port of that network:
whoever calls everything faulty tells nothing apart. PaDiff names no causes. **Bugs, causes and
correct ports were written by us, and our harness was mended on them; PaDiff saw them first here.**
"""


def tables(records: Sequence[Record]) -> Iterator[Line]:
    """Yield the section's lines."""
    yield INTRODUCTION
    yield (
        "| | found | told apart | right layer | no answer | correct ports called faulty | "
        "no answer |"
    )
    yield "|---|---|---|---|---|---|---|"
    for record in records:
        silent = sum(not one.asked for one in record.outcomes)
        alarms = list(record.alarms.values())
        faulty = share([alarm is True for alarm in alarms])
        yield (
            f"| {record.name} | {shares(record.outcomes)} | {silent} | {faulty} | "
            f"{alarms.count(None)} |"
        )
    for title, key, names in (
        ("network", lambda one: one.bug.network, tuple(NETWORKS)),
        ("kind", lambda one: one.bug.kind, tuple(KINDS)),
    ):
        yield from by(title, key, names, records)
    (strict,) = (record for record in records if record.name.endswith(STRICT))
    yield from details(strict)
    yield from compared(records[0], strict)


def shares(outcomes: Sequence[Outcome]) -> str:
    """Return three columns: found, told apart, right layer."""
    placed = [one.placed for one in outcomes if one.bug.layer is not None]
    found, apart = ([getattr(one, what) for one in outcomes] for what in ("found", "apart"))
    return f"{share(found)} | {share(apart)} | {share(placed)}"


def by(title: str, key: Any, names: Sequence[str], records: Sequence[Record]) -> Iterator[str]:
    """Yield a table with a line a network or kind."""
    yield f"\n| {title} | tool | found | told apart | right layer |"
    yield "|---|---|---|---|---|"
    for name in names:
        for record in records:
            part = [one for one in record.outcomes if key(one) == name]
            yield f"| {name} | {record.name} | {shares(part)} |"


def details(record: Record) -> Iterator[str]:
    """Yield what a tool got wrong, by name."""
    for title, names in (
        ("Not found", [one.bug.name for one in record.outcomes if one.asked and not one.found]),
        ("No answer", [one.bug.name for one in record.outcomes if not one.asked]),
        ("Correct ports called faulty", [n for n, called in record.alarms.items() if called]),
    ):
        yield f"\n{title} by {record.name}: {'; '.join(names) or 'none'}."


def compared(mine: Record, other: Record) -> Iterator[Compared]:
    """Yield the lines at the top."""
    for what, counts in (
        ("planted bugs told apart from the correct port", lambda r: [o.apart for o in r.outcomes]),
        (
            "planted bugs found at the right layer",
            lambda r: [o.placed for o in r.outcomes if o.bug.layer is not None],
        ),
        ("correct ports called right", lambda r: [a is False for a in r.alarms.values()]),
    ):
        ours, theirs = counts(mine), counts(other)
        yield Compared(what, sum(ours), sum(theirs), f"of {len(ours)}", other.name, more=True)
