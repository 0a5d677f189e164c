"""A run as one HTML file: figures, curves, classes, remarks and recipe; it requests nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from converters.files import write_text
from converters.page import html_page, page_part
from stdc_port.training.curves import PANELS, Lines, Panel
from stdc_port.training.metrics import Evaluation
from stdc_port.training.recipe import Recipe
from stdc_port.training.runlog import LOG, read_log

PAGE = "run.html"
_REMARKS = 50


def write_page(folder: Path, recipe: Recipe, result: Evaluation) -> Path:
    """Write the page of a run that has come to its end.

    Args:
        folder: of the run, with its log.
        recipe: what settled it.
        result: its last evaluation.

    Returns:
        The page.

    Raises:
        InputError: it cannot be written.
    """
    lines = read_log(folder / LOG)
    views = ", ".join(f"{scale:g}" for scale in result.scales)
    sentence = (
        f"{result.images} images at scale {views}, pixel accuracy {_percent(result.accuracy)}, "
        f"after {recipe.train.iterations} iterations of {recipe.train.batch_size} pictures"
    )
    title = f"{recipe.model}-seg, {recipe.name}"
    body = Template(_part("run.html")).substitute(
        title=escape(title),
        miou=_percent(result.miou),
        sentence=escape(sentence),
        curves="".join(f'<figure class="card">{_svg(panel, lines)}</figure>' for panel in PANELS),
        classes=_classes(result),
        remarks=_remarks([line["remark"] for line in lines if "remark" in line]),
        recipe=escape(json.dumps(recipe.to_json(), indent=1)),
    )
    text = html_page(title, body, style=_part("run.css"), inline_styles=True)
    write_text(folder / PAGE, text)
    return folder / PAGE


def _svg(panel: Panel, lines: Lines) -> str:
    """Draw a panel in the ink of the page that it stands in, its words as words."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": panel.__name__}):
        figure: Any = Figure(figsize=(4.2, 3.2), layout="constrained")
        axes = figure.add_subplot()
        panel(axes, lines)
        axes.set_xlabel("iteration")
        axes.grid(alpha=0.3)
        axes.set_facecolor("none")
        legend = axes.get_legend()
        if legend is not None:
            legend.get_frame().set_alpha(0)
        about = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(file, format="svg", transparent=True, metadata=about)
    drawn = file.getvalue()
    drawn = drawn[drawn.index("<svg") :].replace("#000000", "currentColor")
    # Several pictures in a page share its ids.
    drawn = drawn.replace('id="', f'id="{panel.__name__}-').replace(
        "url(#", f"url(#{panel.__name__}-"
    )
    drawn = drawn.replace('href="#', f'href="#{panel.__name__}-')
    named = f'<svg role="img" aria-label="{escape(axes.get_ylabel())}" fill="currentColor" '
    return drawn.replace("<svg ", named, 1)


def _classes(result: Evaluation) -> str:
    shown = zip(result.names, result.iou, result.present, strict=True)
    rows = [_class(escape(name), float(value)) for name, value, here in shown if here]
    absent = f"<p>Absent from the set, in no mean: {escape(', '.join(result.absent))}.</p>"
    head = '<thead><tr><th>class</th><th class="number">IoU %</th><th></th></tr></thead>'
    table = f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="scroll classes">{table}</div>' + (absent if result.absent else "")


def _class(name: str, iou: float) -> str:
    bar = f'<meter min="0" max="1" value="{iou:.4f}" aria-label="{name}"></meter>'
    return f'<tr><td>{name}</td><td class="number figure">{100 * iou:.2f}</td><td>{bar}</td></tr>'


def _remarks(texts: Sequence[str]) -> str:
    if not texts:
        return ""
    more = [f"… and {len(texts) - _REMARKS} more"] if len(texts) > _REMARKS else []
    items = "".join(f"<li>{escape(text)}</li>" for text in [*texts[:_REMARKS], *more])
    return f"<section><h2>Remarks</h2><ul>{items}</ul></section>"


def _percent(share: float) -> str:
    return "none" if np.isnan(share) else f"{100 * share:.2f} %"


def _part(name: str) -> str:
    return page_part("stdc_port.training", "page", name)
