"""A parity result as one HTML file: the JSON report, and a page that shows it.

The page's parts lie in `page/`. What a network's author chose, layer names say, enters as JSON
data that the page turns into text nodes; nothing of it is ever read as markup. The file needs no
network: its content security policy forbids every request, and allows this very style and script
alone.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from converters.files import temporary_beside
from parity.report.json_report import as_json
from parity.report.terminal import as_text

if TYPE_CHECKING:
    from pathlib import Path

    from parity.result import ParityResult

#: In the order in which they build upon each other.
SCRIPTS = ("dom.js", "chart.js", "maps.js", "table.js", "report.js")


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
    style = _part("report.css")
    # A scope of its own and strict mode for all parts together.
    script = '"use strict";\n{\n' + "\n".join(_part(name) for name in SCRIPTS) + "}\n"
    return Template(_part("page.html")).substitute(
        title=html.escape(f"Parity: {title}" if title else "Parity report"),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        # Shown where scripts are switched off.
        text=html.escape(as_text(result)),
        data=_data(as_json(result, title)),
    )


def _part(name: str) -> str:
    return resources.files("parity.report").joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(content: object) -> str:
    # Without '<' no text can close the script element or open a comment in it.
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
