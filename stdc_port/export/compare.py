"""What a written file computes, beside the trained network, on real pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from converters.shown import Shown
from stdc_port.export.formats import FORMATS, Exported

if TYPE_CHECKING:
    from stdc_port.export.paddle_side import Pixels, Runner

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Compared:
    """A format beside the trained network.

    Attributes:
        format: its name.
        files: that were written.
        megabytes: of them together.
        difference: largest absolute one of the logits, relative to the largest logit; NaN where
            a value is not finite.
        pixels: share of pixels that get another class.
        equal: whether the difference is within the tolerance.
    """

    format: str
    files: tuple[str, ...]
    megabytes: float
    difference: float
    pixels: float
    equal: bool


@dataclass(frozen=True)
class Export(Shown):
    """The formats of an export, all compared; true if there is one and all are equal.

    Attributes:
        exported: the folder and what was left out of the network.
        rows: a format each.
        left: formats that were not written, and what they need.
        pictures: how many were compared.
        size: of each, (width, height).
        origin: where the pictures are from.
        tolerance: of the difference.
    """

    exported: Exported
    rows: tuple[Compared, ...]
    left: Mapping[str, Sequence[str]]
    pictures: int
    size: tuple[int, int]
    origin: str
    tolerance: float = TOLERANCE

    def __bool__(self) -> bool:
        """Whether every format computes what was trained."""
        return bool(self.rows) and all(row.equal for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Plain values; a difference that is not finite is null."""
        rows = [asdict(row) for row in self.rows]
        for row in rows:
            row["difference"] = row["difference"] if np.isfinite(row["difference"]) else None
        return {
            "equal": bool(self),
            **self.exported.to_json(),
            "formats": rows,
            "not_written": {name: list(lacking) for name, lacking in self.left.items()},
            "pictures": self.pictures,
            "size": list(self.size),
            "origin": self.origin,
            "tolerance": self.tolerance,
        }

    def __rich__(self) -> Table:
        """A row a format."""
        width, height = self.size
        taken = [
            text
            for text, done in (
                ("training heads dropped", self.exported.reduction.drop_heads),
                ("batch norms folded", self.exported.reduction.fold_norms),
            )
            if done
        ]
        title = (
            f"{self.exported.model}-seg{''.join(f', {text}' for text in taken)}, beside the "
            f"trained network on {self.pictures} pictures of {width}×{height} ({self.origin})"
        )
        table = Table(title=title, title_justify="left")
        table.add_column("format")
        table.add_column("MB", justify="right")
        table.add_column("max rel. difference", justify="right")
        table.add_column("other class %", justify="right")
        table.add_column("verdict")
        for row in self.rows:
            figures = (f"{row.megabytes:.1f}", f"{row.difference:.1e}", f"{100 * row.pixels:.4f}")
            table.add_row(row.format, *figures, "equal" if row.equal else "[red]NOT EQUAL[/]")
        for name, lacking in self.left.items():
            table.add_row(name, "", "", "", f"not written: needs {', '.join(lacking)}")
        return table


def compare(
    name: str, exported: Exported, wanted: Sequence[Pixels], pictures: Sequence[Pixels]
) -> Compared:
    """Load a format's file anew and run it on pictures.

    Args:
        name: of the format.
        exported: where it lies.
        wanted: the trained network's logits, (1, C, H, W) each.
        pictures: what they belong to, (1, 3, H, W) each.
    """
    form = FORMATS[name]
    found = _run(form.load(exported, 1), pictures)
    size = sum(_bytes(exported.folder / file) for file in form.files)
    difference = float(np.max([_difference(a, b) for a, b in zip(found, wanted, strict=True)]))
    others = [np.mean(a.argmax(1) != b.argmax(1)) for a, b in zip(found, wanted, strict=True)]
    equal = bool(difference <= TOLERANCE)  # NaN is not
    return Compared(name, form.files, size / 1e6, difference, float(np.mean(others)), equal)


def _difference(found: Pixels, wanted: Pixels) -> float:
    if found.shape != wanted.shape or not np.isfinite(found).all():
        return float("nan")
    return float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-30))


def _run(runner: Runner, pictures: Sequence[Pixels]) -> list[Pixels]:
    return [runner(picture) for picture in pictures]


def _bytes(path: Path) -> int:
    return path.stat().st_size
