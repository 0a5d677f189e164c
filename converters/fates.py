"""A plan for the eye: how many keys have each fate, and which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from converters.entries import Entry
from converters.few import in_few
from converters.report import RIGHT, action_rows, network_in_words
from converters.tables import rich_table

if TYPE_CHECKING:  # rich is loaded where something is shown
    from rich.console import RenderableType

    from converters.plan import ConversionPlan

EACH = 5


def shown(plan: ConversionPlan) -> RenderableType:
    """Return a plan for a terminal: counts, some keys of every fate, and what was noted."""
    from rich.console import Group
    from rich.text import Text

    layout = plan.layout
    network = network_in_words(layout.arch, layout.variant, layout.num_classes, layout.content)
    notes = [
        *(Text(f"inexact {line}", style="yellow") for line in plan.inexact),
        *(Text(f"hint    {line}", style="cyan") for line in in_few(plan.hints)),
        *(Text(f"problem {line}", style="red") for line in in_few(plan.problems)),
    ]
    return Group(
        Text(f"plan    {plan.checkpoint.place} to {plan.to}"),
        Text(f"network {network}"),
        rich_table(list(action_rows(plan.entries, plan.counts)), RIGHT),
        rich_table([("source", "target", "action", "shape", "type", "why"), *fates(plan)]),
        *notes,
    )


def fates(plan: ConversionPlan) -> Iterator[tuple[str, ...]]:
    """Yield rows of a table: the first entries of every action, and how many more there are."""
    for action in plan.counts:
        found = [entry for entry in plan.entries if entry.action == action]
        yield from map(fate, found[:EACH])
        if len(found) > EACH:
            yield (f"… {len(found) - EACH} more", "", action, "", "", "")


def fate(entry: Entry) -> tuple[str, ...]:
    """Return the row of an entry."""
    keys = (" + ".join(one) or "–" for one in (entry.sources, entry.targets))
    return (*keys, entry.action, str(list(entry.shape)), entry.dtype, entry.reason)
