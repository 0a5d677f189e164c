"""A confusion matrix for the eye and for spreadsheets."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from converters.files import temporary_beside
from stdc_port.training.metrics import Evaluation

_CORNER = "label \\ predicted"
_DARK = 0.55


def write_csv(path: Path, result: Evaluation) -> None:
    """Write the pixel counts, a row a label and a column a prediction, with class names.

    Raises:
        InputError: the file cannot be written.
    """
    with temporary_beside(path) as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow([_CORNER, *result.names])
            for name, counts in zip(result.names, result.matrix.tolist(), strict=True):
                table.writerow([name, *counts])
        temporary.replace(path)


def draw(path: Path, result: Evaluation) -> None:
    """Draw the matrix as a PNG: of every label's pixels, the share that went to each class.

    Rows of classes that the set does not hold are hatched.

    Raises:
        InputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    totals = result.matrix.sum(1, keepdims=True)
    shares = np.divide(result.matrix, totals, out=np.zeros(result.matrix.shape), where=totals > 0)
    figure = Figure(figsize=(9, 8), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            colour = "white" if share > _DARK else "black"
            text = f"{100 * share:.0f}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    for row in np.flatnonzero(~result.present):
        axes.axhspan(row - 0.5, row + 0.5, facecolor="none", edgecolor="lightgrey", hatch="///")
    places = range(len(result.names))
    axes.set_xticks(places, result.names, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, result.names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    axes.set_title(
        f"% of a label's pixels · {result.images} images · mIoU {100 * result.miou:.2f} %"
    )
    figure.colorbar(shown, ax=axes, shrink=0.7)
    with temporary_beside(path) as temporary:
        figure.savefig(temporary, format="png")
        temporary.replace(path)
