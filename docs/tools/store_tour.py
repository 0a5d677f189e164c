"""Run docs/tour.ipynb and store what it shows, nothing of the machine with it: `make docs-tour`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

TOUR = Path(__file__).parents[1] / "tour.ipynb"


def executed(folder: Path) -> Any:
    """Return the notebook with new outputs.

    Args:
        folder: where it runs.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(TOUR, nbformat.NO_CONVERT)
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources=where, record_timing=False
    )
    client.execute()
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(TOUR.parent), TOUR)
