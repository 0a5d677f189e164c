"""Pretrained against scratch: the same recipe, the same seeds, and nothing else different."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from rich.table import Table


@dataclass(frozen=True)
class Arm:
    """One training of the ablation; `miou` is a share of 1."""

    seed: int
    pretrained: bool
    miou: float
    accuracy: float


@dataclass(frozen=True)
class Ablation:
    """Both arms for every seed.

    Attributes:
        arms: the trainings.
        iterations: of each.
        weights: file of the pretrained arm.
    """

    arms: tuple[Arm, ...]
    iterations: int
    weights: str

    def mean(self, *, pretrained: bool) -> float:
        """Mean mIoU of one arm."""
        return fmean(arm.miou for arm in self.arms if arm.pretrained == pretrained)

    @property
    def gap(self) -> float:
        """How much higher the pretrained mean is."""
        return self.mean(pretrained=True) - self.mean(pretrained=False)

    @property
    def helps(self) -> bool:
        """Whether the pretrained run is ahead for every seed."""
        seeds = {arm.seed for arm in self.arms}
        return bool(seeds) and all(self._of(seed, True) > self._of(seed, False) for seed in seeds)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "weights": self.weights,
            "iterations": self.iterations,
            "arms": [vars(arm) for arm in self.arms],
            "miou_pretrained": self.mean(pretrained=True),
            "miou_scratch": self.mean(pretrained=False),
            "gap": self.gap,
            "helps": self.helps,
        }

    def __rich__(self) -> Table:
        """A row a seed, and the means."""
        table = Table(title=f"mIoU % after {self.iterations} iterations", title_justify="left")
        table.add_column("seed")
        for column in ("pretrained", "scratch", "gap"):
            table.add_column(column, justify="right")
        for seed in sorted({arm.seed for arm in self.arms}):
            self._row(table, str(seed), self._of(seed, True), self._of(seed, False))
        table.add_section()
        self._row(table, "mean", self.mean(pretrained=True), self.mean(pretrained=False))
        return table

    @staticmethod
    def _row(table: Table, name: str, with_it: float, without: float) -> None:
        figures = (100 * with_it, 100 * without, 100 * (with_it - without))
        table.add_row(name, f"{figures[0]:.2f}", f"{figures[1]:.2f}", f"{figures[2]:+.2f}")

    def _of(self, seed: int, pretrained: bool) -> float:
        return next(a.miou for a in self.arms if (a.seed, a.pretrained) == (seed, pretrained))
