"""Results in a notebook: what a terminal shows, as HTML that takes its looks from the page."""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # rich is loaded where something is shown
    from rich.table import Table
    from rich.text import Text

ROWS = 60
LINES = 80
WIDTH = 110
NEWLINE = "\n"


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
    """Return texts and tables as HTML, everything in them escaped."""
    from rich.text import Text

    made: list[str] = []
    for textual, parts in groupby(_parts(renderable), lambda part: isinstance(part, Text)):
        if textual:
            texts = [part for part in parts if isinstance(part, Text)]
            made.append(lines([(text.plain, "red" in str(text.style)) for text in texts]))
        else:
            made += map(_table, parts)
    return NEWLINE.join(made)


def lines(texts: Sequence[tuple[str, bool]]) -> str:
    """Return lines below each other, columns kept, at most :data:`LINES`; some may be strong."""
    told = (
        f"<strong>{html.escape(text)}</strong>" if strong else html.escape(text)
        for text, strong in texts[:LINES]
    )
    more = [f"… {len(texts) - LINES} more"] if len(texts) > LINES else []
    return f'<pre style="white-space:pre-wrap">{NEWLINE.join([*told, *more])}</pre>'


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
    looks = ["text-align:left"] * len(cells)
    for place in right:
        looks[place] = "text-align:right"
    looks[:-1] = [f"{look};white-space:nowrap" for look in looks[:-1]]
    made = zip(looks, map(html.escape, cells), strict=True)
    texts = (f'<{tag} style="{look}">{text}</{tag}>' for look, text in made)
    return f"<tr>{''.join(texts)}</tr>"


def _parts(renderable: Any) -> Iterator[Text | Table]:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if isinstance(renderable, Group):
        for part in renderable.renderables:
            yield from _parts(part)
    elif isinstance(renderable, Table):
        yield renderable
        if renderable.caption:
            yield _text(renderable.caption)
    elif isinstance(renderable, (Text, str)):
        yield _text(renderable)
    else:
        yield Text(as_text(renderable))


def _table(table: Any) -> str:
    columns = [[_text(cell).plain for cell in column.cells] for column in table.columns]
    head = [_text(one.header).plain if table.show_header else "" for one in table.columns]
    right = [place for place, one in enumerate(table.columns) if one.justify == "right"]
    title = _text(table.title or "").plain
    return html_table(head, list(zip(*columns, strict=True)), right, title)


def _text(cell: Any) -> Text:
    from rich.text import Text

    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))
