"""Figures of a segmentation from its confusion matrix; numpy alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from converters.shown import Shown
from stdc_port.training.labels import CLASS_NAMES, IGNORE

# Sums over all classes and thousands of parts fit 64 bits.
MOST_PIXELS = 2**50


def confusion(
    labels: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]], classes: int
) -> NDArray[np.int64]:
    """(classes, classes) counts, rows are the labels; pixels labelled 255 do not count."""
    counted = labels != IGNORE
    cells = labels[counted].astype(np.int64) * classes + predicted[counted]
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


@dataclass(frozen=True)
class Evaluation(Shown):
    """How well a network segments a set.

    Attributes:
        matrix: (C, C) pixel counts, rows are the labels.
        images: how many were looked at.
        scales: of the pictures that the network saw.
        names: of the classes.
        flip: whether it saw them mirrored, too.
    """

    matrix: NDArray[np.int64]
    images: int
    scales: tuple[float, ...]
    names: tuple[str, ...] = CLASS_NAMES
    flip: bool = False

    def __add__(self, other: Evaluation) -> Evaluation:
        """The evaluation of two parts of a set together: counts are whole numbers, and add up.

        Raises:
            ValueError: the network was asked differently.
        """
        asked = [(one.scales, one.flip, one.names) for one in (self, other)]
        if asked[0] != asked[1]:
            raise ValueError(f"evaluated differently: {asked[0][:2]} and {asked[1][:2]}")
        return replace(self, matrix=self.matrix + other.matrix, images=self.images + other.images)

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
    def miou_of_scripts(self) -> float:
        """The mean of cityscapesScripts: a class that is absent, yet predicted, counts as 0."""
        seen = self.iou[~np.isnan(self.iou)].tolist()
        return sum(seen) / len(seen) if seen else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of labelled pixels that are right."""
        total = self.matrix.sum()
        return float(np.diag(self.matrix).sum() / total) if total else float("nan")

    def to_json(self) -> dict[str, Any]:
        """Plain values; the IoU of an absent class is null, as are means over nothing."""
        return {
            "miou": _number(self.miou),
            "miou_of_cityscapes_scripts": _number(self.miou_of_scripts),
            "accuracy": _number(self.accuracy),
            "images": self.images,
            "scales": list(self.scales),
            "flip": self.flip,
            "iou": {
                name: float(value) if here else None
                for name, value, here in zip(self.names, self.iou, self.present, strict=True)
            },
            "absent": list(self.absent),
            "matrix": self.matrix.tolist(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Evaluation:
        """Read what `to_json` gave.

        Raises:
            ValueError: it is something else.
        """
        try:
            matrix = np.array(content["matrix"])
            names = tuple(dict(content["iou"]))
            scales = tuple(float(scale) for scale in content["scales"])
            found = cls(matrix, index(content["images"]), scales, names, bool(content["flip"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no evaluation ({error})") from error
        if matrix.shape != (len(names), len(names)) or matrix.dtype != np.int64:
            raise ValueError(f"no evaluation of {len(names)} classes (matrix {matrix.shape})")
        if (
            (matrix < 0).any()
            or (matrix > MOST_PIXELS).any()
            or not 0 <= found.images < MOST_PIXELS
        ):
            raise ValueError("no evaluation: a negative or enormous number of pixels or pictures")
        return found

    def __rich__(self) -> Table:
        """A row a class, the absent ones below."""
        views = ", ".join(f"{scale:g}" for scale in self.scales)
        title = f"{self.images} images at scale {views}{', also mirrored' if self.flip else ''}"
        table = Table(title=title, title_justify="left")
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
        if abs(self.miou_of_scripts - self.miou) > 1e-9:
            table.caption = (
                f"{table.caption}; cityscapesScripts counts those of them that were predicted as "
                f"0, and has {100 * self.miou_of_scripts:.2f}"
            )
        return table


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
