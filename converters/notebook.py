"""Results in a notebook: what a terminal shows, as HTML that takes its looks from the page."""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # rich is loaded where something is shown
    from rich.table import Table

ROWS = 60
LINES = 80
WIDTH = 110


def as_text(renderable: Any) -> str:
    """Return what is printed where there is no terminal: plain lines where it has them."""
    if hasattr(renderable, "plain"):
        return str(renderable.plain())
    from rich.console import Console

    file = io.StringIO()
    Console(file=file, width=WIDTH, color_system=None, force_jupyter=False).print(renderable)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def shortened(text: str) -> str:
    """Return the first lines of a text, and how many more there are."""
    lines = text.splitlines()
    more = [f"… {len(lines) - LINES} more lines"] if len(lines) > LINES else []
    return "\n".join([*lines[:LINES], *more])


def as_html(renderable: Any) -> str:
    """Return texts and tables as HTML, escaped; at most :data:`LINES` of them."""
    parts = list(_parts(renderable))
    more = [paragraph(f"… {len(parts) - LINES} more")] if len(parts) > LINES else []
    return "\n".join([*parts[:LINES], *more])


def paragraph(text: str, *, strong: bool = False) -> str:
    """Return a paragraph."""
    told = html.escape(text)
    return f"<p>{f'<strong>{told}</strong>' if strong else told}</p>"


def html_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = (), title: str = ""
) -> str:
    """Return a table of at most :data:`ROWS` rows, and how many more there are.

    Args:
        head: titles of the columns; none is shown where all are empty.
        rows: of texts.
        right: columns that are aligned to the right.
        title: of the table.
    """
    every = list(rows)
    shown = [_row("td", cells, right) for cells in islice(every, ROWS)]
    if len(every) > ROWS:
        shown.append(_row("td", [f"… {len(every) - ROWS} more", *[""] * (len(head) - 1)], right))
    caption = f"<caption>{html.escape(title)}</caption>" if title else ""
    titles = f"<thead>{_row('th', head, right)}</thead>" if any(head) else ""
    return f"<table>{caption}{titles}<tbody>{''.join(shown)}</tbody></table>"


def _row(tag: str, cells: Sequence[str], right: Sequence[int]) -> str:
    # Said for every cell: notebooks align tables to the right, which makes keys hard to read.
    sides = ("right" if place in right else "left" for place in range(len(cells)))
    made = zip(sides, map(html.escape, cells), strict=True)
    texts = (f'<{tag} style="text-align:{side}">{text}</{tag}>' for side, text in made)
    return f"<tr>{''.join(texts)}</tr>"


def _parts(renderable: Any) -> Iterator[str]:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if isinstance(renderable, Group):
        for part in renderable.renderables:
            yield from _parts(part)
    elif isinstance(renderable, Table):
        yield from _table(renderable)
    elif isinstance(renderable, Text):
        yield paragraph(renderable.plain, strong="red" in str(renderable.style))
    elif isinstance(renderable, str):
        yield paragraph(_plain(renderable))
    else:
        yield f"<pre>{html.escape(as_text(renderable))}</pre>"


def _table(table: Table) -> Iterator[str]:
    columns = [list(map(_plain, column.cells)) for column in table.columns]
    rows = list(zip(*columns, strict=True))
    right = [place for place, one in enumerate(table.columns) if one.justify == "right"]
    head = [_plain(one.header) if table.show_header else "" for one in table.columns]
    yield html_table(head, rows, right, _plain(table.title or ""))
    if table.caption:
        yield paragraph(_plain(table.caption))


def _plain(cell: Any) -> str:
    from rich.text import Text

    return cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain
