"""The measured catalogue on a terminal and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from parity.traps.engine import Outcome, Standing
from parity.traps.trap import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

STYLES = {
    Standing.MENDED: "yellow",
    Standing.NOT_MENDED: "bold red",
    Standing.GONE: "green",
    Standing.CANNOT_RUN: "magenta",
    Standing.NOT_RUN: "dim",
}


def installed() -> dict[str, str]:
    """Return the versions that the catalogue was measured against."""
    import numpy
    import paddle
    import torch

    return {module.__name__: module.__version__ for module in (torch, paddle, numpy)}


def summary(outcomes: Sequence[Outcome]) -> str:
    """Say in one line what was found, and with which versions."""
    counts = Counter(outcome.standing for outcome in outcomes)
    found = ", ".join(f"{counts[one]} {one.value}" for one in Standing if counts[one])
    versions = ", ".join(f"{name} {number}" for name, number in installed().items())
    what = "trap" if len(outcomes) == 1 else "traps"
    return f"{len(outcomes)} {what} ({versions}): {found}"


def table(outcomes: Sequence[Outcome]) -> Table:
    """Lay the outcomes out, one row each."""
    rows = Table(box=box.HORIZONTALS, pad_edge=False, show_lines=True, header_style="dim")
    rows.add_column("#", justify="right", no_wrap=True)
    rows.add_column("trap", overflow="fold", ratio=1)
    for name in ("exists", "now", "mended"):
        rows.add_column(name, justify="right", no_wrap=True)
    for outcome in outcomes:
        rows.add_row(*_row(outcome))
    return rows


def _row(outcome: Outcome) -> tuple[str | Text, ...]:
    trap, found = outcome.trap, outcome.measured
    style = STYLES[outcome.standing]
    exists = {True: "yes", False: "no", None: "–"}[outcome.exists]
    return (
        str(trap.number),
        _told(outcome),
        Text(exists, style),
        _shown(found.before) if found else "–",
        Text(_shown(found.after) if found else "–", style),
    )


def _told(outcome: Outcome) -> Text:
    trap, found = outcome.trap, outcome.measured
    note = outcome.why or (found.note if found else "")
    lines = [
        ("torch   ", trap.torch),
        ("paddle  ", trap.paddle),
        ("mend    ", trap.mend),
        ("found   ", "; ".join(part for part in (note, trap.source) if part)),
    ]
    text = Text.assemble((trap.slug, "bold"), "  ", trap.title)
    for name, content in lines:
        text.append_text(Text.assemble("\n", (name, "dim"), content))
    return text


def _shown(value: float) -> str:
    return "∞" if math.isinf(value) else figure(value)


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Give the outcomes as plain values; a difference that is no number is null."""
    return {
        "versions": installed(),
        "counts": {
            standing.value: sum(outcome.standing is standing for outcome in outcomes)
            for standing in Standing
        },
        "traps": [_plain(outcome) for outcome in outcomes],
    }


def _plain(outcome: Outcome) -> dict[str, Any]:
    trap, measured = outcome.trap, outcome.measured
    return {
        "number": trap.number,
        "slug": trap.slug,
        "title": trap.title,
        "torch": trap.torch,
        "paddle": trap.paddle,
        "standing": outcome.standing.value,
        "exists": outcome.exists,
        "before": _finite(measured.before) if measured else None,
        "after": _finite(measured.after) if measured else None,
        "shows": trap.shows,
        "bound": trap.bound,
        "note": measured.note if measured else outcome.why,
        "mend": trap.mend,
        "source": trap.source,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
