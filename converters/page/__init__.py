"""A page as one HTML file that requests nothing: its head, its policy, and the style of all pages.

Parity's report and the page of a training are made of this frame, each with a body and a style of
its own. A content security policy forbids every request, and every script but the page's own.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib import resources
from string import Template


def html_page(
    title: str, body: str, *, style: str, script: str = "", inline_styles: bool = False
) -> str:
    """Give the text of a whole page.

    Args:
        title: of the window, as plain text.
        body: markup; what others have chosen in it is escaped already.
        style: CSS that is added to the style of all pages.
        script: the only one that may run, after the body was read; without one none may.
        inline_styles: whether elements of the body have styles of their own, as matplotlib's
            drawings do; without them the policy allows this very style alone.
    """
    style = page_part(__name__, "common.css") + style
    return Template(page_part(__name__, "frame.html")).substitute(
        title=escape(title),
        style=style,
        style_source="'unsafe-inline'" if inline_styles else _source(style),
        script_source=_source(script) if script else "'none'",
        body=body.rstrip("\n"),
        script=f"\n<script>{script}</script>" if script else "",
    )


def page_part(package: str, *path: str) -> str:
    """Read a part of a page, a file that lies in a package."""
    return resources.files(package).joinpath(*path).read_text(encoding="utf-8")


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
