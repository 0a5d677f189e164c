"""Pretrained against scratch: the same recipe, the same seeds, and nothing else different."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from rich.table import Table

from converters.files import temporary_beside
from converters.shown import Shown


@dataclass(frozen=True)
class Arm:
    """One training of the ablation; `miou` is a share of 1."""

    seed: int
    pretrained: bool
    miou: float
    accuracy: float


@dataclass(frozen=True)
class Ablation(Shown):
    """Both arms for every seed.

    Attributes:
        arms: the trainings.
        iterations: of each.
        weights: file of the pretrained arm.
    """

    arms: tuple[Arm, ...]
    iterations: int
    weights: str

    @property
    def seeds(self) -> list[int]:
        """The seeds, sorted."""
        return sorted({arm.seed for arm in self.arms})

    def mious(self, *, pretrained: bool) -> list[float]:
        """The mIoU of one arm, by seed."""
        return [self._of(seed, pretrained) for seed in self.seeds]

    def mean(self, *, pretrained: bool) -> float:
        """Mean mIoU of one arm."""
        return fmean(self.mious(pretrained=pretrained))

    @property
    def gaps(self) -> list[float]:
        """How much higher the pretrained run is, by seed."""
        pairs = zip(self.mious(pretrained=True), self.mious(pretrained=False), strict=True)
        return [with_it - without for with_it, without in pairs]

    @property
    def gap(self) -> float:
        """How much higher the pretrained mean is."""
        return fmean(self.gaps)

    @property
    def helps(self) -> bool:
        """Whether the pretrained run is ahead for every seed."""
        return bool(self.seeds) and all(gap > 0 for gap in self.gaps)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the spread of a single seed is null."""
        columns = {
            "miou_pretrained": self.mious(pretrained=True),
            "miou_scratch": self.mious(pretrained=False),
            "gap": self.gaps,
        }
        return {
            "weights": self.weights,
            "iterations": self.iterations,
            "arms": [vars(arm) for arm in self.arms],
            **{name: fmean(values) for name, values in columns.items()},
            **{f"{name}_spread": spread(values) for name, values in columns.items()},
            "helps": self.helps,
        }

    def __rich__(self) -> Table:
        """A row a seed, the means, and the standard deviations over the seeds."""
        table = Table(title=f"mIoU % after {self.iterations} iterations", title_justify="left")
        table.add_column("seed")
        for column in ("pretrained", "scratch", "gap"):
            table.add_column(column, justify="right")
        columns = (self.mious(pretrained=True), self.mious(pretrained=False), self.gaps)
        for seed, *figures in zip(map(str, self.seeds), *columns, strict=True):
            _row(table, seed, figures)
        table.add_section()
        _row(table, "mean", [fmean(values) for values in columns])
        if len(self.seeds) > 1:
            shown = [f"{100 * (spread(values) or 0):.2f}" for values in columns]
            table.add_row("standard deviation", *shown)
        return table

    def _of(self, seed: int, pretrained: bool) -> float:
        return next(a.miou for a in self.arms if (a.seed, a.pretrained) == (seed, pretrained))


def spread(values: list[float]) -> float | None:
    """Standard deviation over the seeds (n − 1); None of a single one."""
    return stdev(values) if len(values) > 1 else None


def draw(path: Path, result: Ablation) -> None:
    """Draw both arms as a PNG: a line a seed, and bars from mean − to mean + spread.

    Raises:
        InputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    sides = (result.mious(pretrained=False), result.mious(pretrained=True))
    for seed, *ends in zip(result.seeds, *sides, strict=True):
        axes.plot([0, 1], [100 * end for end in ends], "o-", alpha=0.6, label=f"seed {seed}")
    means = [100 * fmean(values) for values in sides]
    spreads = [100 * (spread(values) or 0) for values in sides]
    axes.errorbar([-0.08, 1.08], means, spreads, fmt="ks", capsize=6, label="mean ± deviation")
    axes.set_xticks([0, 1], ["from scratch", "from converted weights"])
    axes.set_xlim(-0.4, 1.4)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("mIoU %")
    axes.set_title(f"{result.iterations} iterations, {len(result.seeds)} seeds")
    axes.legend(loc="lower right")
    with temporary_beside(path) as temporary:
        figure.savefig(temporary, format="png")
        temporary.replace(path)


def _row(table: Table, name: str, figures: list[float]) -> None:
    with_it, without, gap = (100 * value for value in figures)
    table.add_row(name, f"{with_it:.2f}", f"{without:.2f}", f"{gap:+.2f}")
