"""Tables for a terminal, and as plain lines where there is none."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Literal

from converters.errors import one_line

if TYPE_CHECKING:  # rich is loaded where something is shown
    from rich.table import Table

Rows = Sequence[Sequence[str]]


def plain_lines(rows: Rows, right: Container[int] = ()) -> list[str]:
    """Return rows as lines of aligned columns, none of them broken.

    Args:
        rows: of texts, the titles first.
        right: columns that are aligned to the right.
    """
    rows = [[one_line(text) for text in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if place in right else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def rich_table(rows: Rows, right: Container[int] = ()) -> Table:
    """Return rows as a table that fits a terminal; arguments as for :func:`plain_lines`."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    # Text, not markup: a key or a reason may hold brackets.
    for place, title in enumerate(rows[0]):
        side: Literal["left", "right"] = "right" if place in right else "left"
        table.add_column(Text(title), justify=side, overflow="fold")
    for row in rows[1:]:
        table.add_row(*(Text(one_line(text)) for text in row))
    return table


def size(count: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count} bytes"
