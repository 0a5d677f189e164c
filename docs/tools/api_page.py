"""Write docs/api.md, the public names and what each is, from their docstrings: `make docs-api`."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

PAGE = Path(__file__).parents[1] / "api.md"
PACKAGES = ("converters", "parity", "stdc_port.torch_nets", "stdc_port.paddle_nets")
HEAD = """# Public names

What may be imported, and stays: a name that changes its meaning or goes is in the changelog.
Everything else is inside. All of it is typed (`py.typed`) and documented where it is defined:
`help(converters.convert_file)`. `make docs-api` writes this page.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *map(_table, PACKAGES)])


def _table(package: str) -> str:
    module = import_module(package)
    rows = (f"| `{name}` | {_told(getattr(module, name))} |" for name in sorted(module.__all__))
    lines = (f"## {package}", "", "| name | what it is |", "|---|---|", *rows, "")
    return "\n".join(lines)


def _told(found: object) -> str:
    # The first sentence; roles of Sphinx are no Markdown.
    first = (inspect.getdoc(found) or "").split("\n\n")[0].replace("\n", " ")
    return first.replace(":class:", "").replace(":func:", "").replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
