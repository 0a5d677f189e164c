"""A parity result in a notebook: the verdict, the layer at fault, the layers that matter."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from parity.report.words import (
    counted,
    divergence,
    figure,
    kinds,
    name_of,
    verdict,
    what_matters,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parity.layer_result import LayerResult
    from parity.result import ParityResult

HEAD = ("layer", "kind", "own", "float32", "float64", "verdict")


def as_fragment(result: ParityResult) -> str:
    """Give a result as a small piece of HTML that takes its looks from the notebook."""
    parts = [_paragraph(f"{'✓' if result else '✗'} {verdict(result)}", counted(result))]
    parts += [_paragraph(problem, "") for problem in result.problems]
    first = result.first_divergence
    if first is not None:
        parts.append(_paragraph(f"first divergence: {name_of(first)}", kinds(first)))
        parts.append(_items(f"{title}: {text}" for title, text in divergence(first)))
    for found in result.diagnosis:
        parts.append(_paragraph(f"diagnosis: {found.cause}", found.evidence))
        parts.append(f"<pre>{html.escape(found.mend)}</pre>")
    if result.layers:
        parts.append(_table(what_matters(result)))
    return "\n".join(parts)


def _paragraph(title: str, text: str) -> str:
    return f"<p><strong>{html.escape(title)}</strong> {html.escape(text)}</p>"


def _items(texts: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>"


def _table(layers: list[LayerResult]) -> str:
    rows = (_row("td", _cells(layer)) for layer in layers)
    return f"<table><thead>{_row('th', HEAD)}</thead><tbody>{''.join(rows)}</tbody></table>"


def _cells(layer: LayerResult) -> tuple[str, ...]:
    own = layer.own32 if layer.own64 is None else layer.own64
    errors = (figure(error) for error in (own, layer.error32, layer.error64))
    return (name_of(layer), kinds(layer), *errors, layer.state.value)


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"
