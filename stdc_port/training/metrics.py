"""Figures of a segmentation from its confusion matrix; numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from stdc_port.training.labels import CLASS_NAMES, IGNORE


def confusion(
    labels: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]], classes: int
) -> NDArray[np.int64]:
    """(classes, classes) counts, rows are the labels; pixels labelled 255 do not count."""
    counted = labels != IGNORE
    cells = labels[counted].astype(np.int64) * classes + predicted[counted]
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


@dataclass(frozen=True)
class Evaluation:
    """How well a network segments a set.

    Attributes:
        matrix: (C, C) pixel counts, rows are the labels.
        images: how many were looked at.
        scale: of the pictures that the network saw.
        names: of the classes.
    """

    matrix: NDArray[np.int64]
    images: int
    scale: float
    names: tuple[str, ...] = CLASS_NAMES

    @property
    def iou(self) -> NDArray[np.float64]:
        """(C,) intersection over union; NaN for a class that is neither labelled nor predicted."""
        hits = np.diag(self.matrix).astype(np.float64)
        union = self.matrix.sum(0) + self.matrix.sum(1) - hits
        return np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(C,) whether a class is labelled in the set."""
        return np.asarray(self.matrix.sum(1) > 0)

    @property
    def absent(self) -> tuple[str, ...]:
        """Names of the classes that the set does not hold: they are in no mean."""
        return tuple(name for name, here in zip(self.names, self.present, strict=True) if not here)

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that the set holds; NaN when it holds none."""
        return float(self.iou[self.present].mean()) if self.present.any() else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of labelled pixels that are right."""
        total = self.matrix.sum()
        return float(np.diag(self.matrix).sum() / total) if total else float("nan")

    def to_json(self) -> dict[str, Any]:
        """Plain values; the IoU of an absent class is null."""
        return {
            "miou": self.miou,
            "accuracy": self.accuracy,
            "images": self.images,
            "scale": self.scale,
            "iou": {
                name: float(value) if here else None
                for name, value, here in zip(self.names, self.iou, self.present, strict=True)
            },
            "absent": list(self.absent),
            "matrix": self.matrix.tolist(),
        }

    def __rich__(self) -> Table:
        """A row a class, the absent ones below."""
        table = Table(title=f"{self.images} images at scale {self.scale:g}", title_justify="left")
        table.add_column("class")
        table.add_column("IoU %", justify="right")
        for name, value, here in zip(self.names, self.iou, self.present, strict=True):
            if here:
                table.add_row(name, f"{100 * value:.2f}")
        table.add_section()
        table.add_row(f"mIoU over {int(self.present.sum())} classes", f"{100 * self.miou:.2f}")
        table.add_row("pixel accuracy", f"{100 * self.accuracy:.2f}")
        if self.absent:
            table.caption = "absent from the set, in no mean: " + ", ".join(self.absent)
        return table
