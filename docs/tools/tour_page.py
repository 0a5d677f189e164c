"""The notebook as a page of the site, with the outputs that are stored in it: a hook of mkdocs."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PICTURE = "pictures/tour.png"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page, and the picture that it ends in."""
    path = Path(config.docs_dir) / "tour.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    files.append(File.generated(config, "tour.md", content=as_markdown(cells)))
    (picture,) = (output["data"]["image/png"] for output in outputs(cells, "image/png"))
    files.append(File.generated(config, PICTURE, content=base64.b64decode(picture)))
    return files


def as_markdown(cells: list[dict[str, Any]]) -> str:
    """Give the cells one below the other: words, code, and what it showed."""
    return "\n\n".join(part for cell in cells for part in _parts(cell)) + "\n"


def outputs(cells: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Give the outputs of a kind ('text/html', 'image/png')."""
    every = [output for cell in cells for output in cell.get("outputs", ())]
    return [output for output in every if kind in output.get("data", {})]


def _parts(cell: dict[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield f"```python\n{source}\n```"
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            yield f"![What the last cell draws]({PICTURE})"
        elif "text/html" in data:
            yield f'<div style="overflow-x: auto">\n{"".join(data["text/html"])}\n</div>'
        else:
            yield f"```text\n{''.join(output['text']).rstrip()}\n```"
