"""A parity result as one HTML file: the JSON report, and a page that shows it.

The page's parts lie in `page/`, what all pages have in `converters.page`. What a network's author
chose, layer names say, enters as JSON data that the page turns into text nodes; nothing of it is
ever read as markup. The file needs no network: its content security policy forbids every request,
and allows this very style and script alone.
"""

from __future__ import annotations

import html
import json
import math
from string import Template
from typing import TYPE_CHECKING, Any

from converters.files import temporary_beside
from converters.page import html_page, page_part
from parity.precision import TOLERANCE_STEP, State
from parity.report.json_report import as_json
from parity.report.terminal import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from parity.result import ParityResult

#: In the order in which they build upon each other.
SCRIPTS = ("dom.js", "chart.js", "maps.js", "table.js", "layers.js", "training.js", "report.js")
#: Failures, and failing tensors of a training step, that the page lists; the JSON report has all.
LISTED = 50


def save_html(result: ParityResult, path: Path, title: str = "") -> None:
    """Write a result as an HTML file, whole or not at all; see `ParityResult.save_html`."""
    with temporary_beside(path) as temporary:
        temporary.write_text(as_html(result, title), encoding="utf-8")
        temporary.replace(path)


def as_html(result: ParityResult, title: str = "") -> str:
    """Give a result as the text of an HTML file.

    Args:
        result: What the check found.
        title: What was compared.
    """
    body = Template(_part("report.html")).substitute(
        # Shown where scripts are switched off.
        text=html.escape(as_text(result)),
        data=_data(_page_data(result, title)),
    )
    return html_page(
        f"Parity: {title}" if title else "Parity report",
        body,
        style=_part("report.css"),
        # A scope of its own and strict mode for all parts together.
        script='"use strict";\n{\n' + "\n".join(map(_part, SCRIPTS)) + "}\n",
    )


def _page_data(result: ParityResult, title: str) -> dict[str, Any]:
    content = as_json(result, title)
    content["failing"] = len(content["failures"])
    content["failures"] = content["failures"][:LISTED]
    # A step compares every parameter, gradient and moment: too much for ten steps of a network.
    content["steps"] = [_summary(step) for step in content["steps"]]
    content["step_tol64"] = TOLERANCE_STEP
    return content


def _summary(step: dict[str, Any]) -> dict[str, Any]:
    tensors = step["tensors"]
    failing = [tensor for tensor in tensors if not State(tensor["state"]).passes]
    of_kind: dict[str, list[dict[str, Any]]] = {tensor["kind"]: [] for tensor in tensors}
    for tensor in tensors:
        of_kind[tensor["kind"]].append(tensor)
    return step | {
        "tensors": failing[:LISTED],
        "failing": len(failing),
        "largest": {kind: max(some, key=_error) for kind, some in of_kind.items()},
        "since": _most(_known(tensor, "error64", "error32") for tensor in tensors),
        "drift": _most(tensor["sensitivity"] for tensor in tensors),
        "loss": next((loss["scale"] for loss in of_kind.get("loss", ())), None),
    }


def _error(tensor: dict[str, Any]) -> float:
    found = _known(tensor, "own64", "own32", "error64", "error32")
    # What has no error was not compared, or differs in kind: nothing is worse.
    return math.inf if found is None else found


def _known(tensor: dict[str, Any], *keys: str) -> float | None:
    return next((tensor[key] for key in keys if tensor[key] is not None), None)


def _most(errors: Iterable[float | None]) -> float | None:
    return max((error for error in errors if error is not None), default=None)


def _part(name: str) -> str:
    return page_part("parity.report", "page", name)


def _data(content: object) -> str:
    # Without '<' no text can close the script element or open a comment in it.
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
