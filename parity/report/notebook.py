"""A parity result in a notebook: the verdict, the layer at fault, the layers that matter."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from converters.notebook import html_table
from parity.report.words import (
    counted,
    divergence,
    figure,
    kinds,
    name_of,
    verdict,
    what_matters,
)
from parity.result import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parity.layer_result import LayerResult
    from parity.result import Diagnosis, ParityResult

HEAD = ("layer", "kind", "own", "float32", "float64", "verdict")
FIGURES = (2, 3, 4)


def as_fragment(result: ParityResult) -> str:
    """Give a result as a small piece of HTML that takes its looks from the notebook."""
    parts = [_paragraph(f"{'✓' if result else '✗'} {verdict(result)}", counted(result))]
    parts += [_paragraph(problem, "") for problem in result.problems]
    first = result.first_divergence
    if first is not None:
        parts.append(_paragraph(f"first divergence: {name_of(first)}", kinds(first)))
        parts.append(_items(f"{title}: {text}" for title, text in divergence(first)))
    parts += map(of_diagnosis, result.diagnosis)
    if result.layers:
        parts.append(html_table(HEAD, map(_cells, what_matters(result)), FIGURES))
    return "\n".join(parts)


def of_diagnosis(found: Diagnosis) -> str:
    """Give a cause as a small piece of HTML: where, how it was confirmed, what to write instead."""
    title = f"diagnosis: {found.cause} at {shown(found.layer)}"
    return f"{_paragraph(title, found.evidence)}\n<pre>{escape(found.mend)}</pre>"


def _paragraph(title: str, text: str) -> str:
    return f"<p><strong>{escape(title)}</strong> {escape(text)}</p>"


def _items(texts: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def _cells(layer: LayerResult) -> tuple[str, ...]:
    own = layer.own32 if layer.own64 is None else layer.own64
    errors = (figure(error) for error in (own, layer.error32, layer.error64))
    return (name_of(layer), kinds(layer), *errors, layer.state.value)
