"""The notebook runs from beginning to end, and shows what it was stored with."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

TOUR = Path(__file__).parents[2] / "docs/tour.ipynb"
sys.path.insert(0, str(TOUR.parent / "tools"))
import store_tour  # noqa: E402 - a tool beside the documents, in no package

CELLS = 10
# A row of a table of layers: which are the worst that pass, differs from machine to machine.
ROW = re.compile(r"\de-\d\d|match$|verdict$")


@pytest.fixture(scope="module")
def stored() -> Any:
    return nbformat.read(TOUR, nbformat.NO_CONVERT)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return store_tour.executed(tmp_path_factory.mktemp("tour"))


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def lines(notebook: Any) -> list[str]:
    """What is shown and does not depend on the machine's rounding."""
    texts = (output.get("text") or output.data["text/plain"] for output in outputs(notebook))
    return [line for text in texts for line in text.splitlines() if not ROW.search(line.rstrip())]


def test_it_runs_and_shows_what_is_stored(executed: Any, stored: Any) -> None:
    assert lines(executed) == lines(stored)
    told = "\n".join(lines(executed))
    for sentence in (
        "network   stdc1 authors, 1000 classes, torch",
        "read back and compared bit for bit",
        "first divergence: features.2.skip (AvgPool2d)",
        "diagnosis: pool-exclusive at features.2.skip",
        "diagnosis: bn-epsilon at features.4.conv_list.1.bn",
    ):
        assert sentence in told


@pytest.mark.parametrize("which", ["stored", "executed"])
def test_it_ends_in_a_picture_and_has_run_in_order(
    which: str, request: pytest.FixtureRequest
) -> None:
    notebook = request.getfixturevalue(which)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, CELLS + 1))
    (last,) = cells[-1].outputs
    assert len(last.data["image/png"]) > 20_000
    assert [one.output_type for one in outputs(notebook) if one.output_type == "error"] == []


def test_nothing_stored_tells_of_the_machine(stored: Any) -> None:
    nbformat.validate(stored)
    kinds = ("text/plain", "text/html")
    shown = [text for one in outputs(stored) for text in (one.get("data") or {}).values()]
    shown += [one.get("text", "") for one in outputs(stored)]
    assert any(kind in one.get("data", {}) for one in outputs(stored) for kind in kinds)
    # A slash that begins a word begins a path; </td> and base64 do not.
    found = [re.findall(r"(?:^|[\s\'\"(])(/\w+/\S*|[A-Z]:\\\S*)", text) for text in shown]
    assert [one for one in found if one] == []
    assert all(cell.metadata == {} for cell in stored.cells)
    assert [one for one in outputs(stored) if one.get("name") == "stderr"] == []


def test_its_links_lead_to_pages(stored: Any) -> None:
    links = re.findall(r"\]\(([^)]+)\)", "\n".join(cell.source for cell in stored.cells))
    assert links
    assert [link for link in links if not (TOUR.parent / link).exists()] == []
