"""The curves of a run as a picture, drawn from its JSON log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converters.files import temporary_beside
from stdc_port.training.runlog import LOG, read_log

Lines = Sequence[Mapping[str, Any]]
Panel = Callable[[Any, Lines], None]
CURVES = "curves.png"
_POINTS = 100


def draw_curves(run: Path) -> Path:
    """Draw the loss with its parts, the learning rate and the mIoU of a run by iteration.

    Losses are means over hundredths of the run: single batches differ too much.

    Args:
        run: its folder, with the log.

    Returns:
        The picture.

    Raises:
        InputError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = read_log(run / LOG)
    figure: Any = Figure(figsize=(8, 9), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(figure.subplots(3, 1, sharex=True), PANELS, strict=True):
        panel(axes, lines)
        axes.grid(alpha=0.3)
    axes.set_xlabel("iteration")
    path = run / CURVES
    with temporary_beside(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
        temporary.replace(path)
    return path


def losses(axes: Any, lines: Lines) -> None:
    """Draw the loss and its parts."""
    steps = [line for line in lines if "loss" in line]
    series = {"total": [line["loss"] for line in steps]}
    for name in steps[0]["parts"] if steps else ():
        series[name] = [line["parts"][name] for line in steps]
    for name, values in series.items():
        middles, means = _means(np.array([line["iteration"] for line in steps]), np.array(values))
        axes.plot(middles, means, label=name, linewidth=2 if name == "total" else 1)
    axes.set_ylabel("loss")
    if steps:
        axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def rates(axes: Any, lines: Lines) -> None:
    """Draw the learning rate."""
    steps = [line for line in lines if "loss" in line]
    axes.plot([line["iteration"] for line in steps], [line["rate"] for line in steps])
    axes.set_ylabel("learning rate")


def scores(axes: Any, lines: Lines) -> None:
    """Draw the mIoU of every evaluation."""
    found = [line for line in lines if "evaluation" in line]
    figures = [100 * (line["evaluation"]["miou"] or 0) for line in found]
    axes.plot([line["iteration"] + 1 for line in found], figures, marker="o")
    axes.set_ylabel("mIoU % on the validation split")


PANELS: tuple[Panel, ...] = (losses, rates, scores)


def _means(places: np.ndarray, values: np.ndarray) -> tuple[list[float], list[float]]:
    """Means of places and values over at most `_POINTS` equal stretches."""
    parts = min(_POINTS, len(places))
    if not parts:
        return [], []
    return tuple(  # type: ignore[return-value]
        [float(part.mean()) for part in np.array_split(array, parts)] for array in (places, values)
    )
