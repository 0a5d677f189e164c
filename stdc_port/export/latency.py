"""How long one picture takes, format by format."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from converters.shown import Shown

if TYPE_CHECKING:
    from stdc_port.export.paddle_side import Pixels, Runner


@dataclass(frozen=True)
class Latency(Shown):
    """Seconds a picture.

    Attributes:
        seconds: of every timed run, by what ran.
        size: of the picture, (width, height).
        threads: that each may use.
    """

    seconds: Mapping[str, tuple[float, ...]]
    size: tuple[int, int]
    threads: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "size": list(self.size),
            "threads": self.threads,
            "median": {name: statistics.median(taken) for name, taken in self.seconds.items()},
            "seconds": {name: list(taken) for name, taken in self.seconds.items()},
        }

    def __rich__(self) -> Table:
        """A row for each, the median and what half of the runs lie within."""
        width, height = self.size
        runs = len(next(iter(self.seconds.values())))
        how = f"CPU, threads: {self.threads}, {runs} runs in turn"
        title = f"one picture of {width}×{height}, {how}"
        table = Table(title=title, title_justify="left")
        table.add_column("what runs")
        for column in ("median ms", "fastest ms", "slowest ms", "pictures/s"):
            table.add_column(column, justify="right")
        for name, taken in self.seconds.items():
            middle = statistics.median(taken)
            figures = (f"{1000 * value:.1f}" for value in (middle, min(taken), max(taken)))
            table.add_row(name, *figures, f"{1 / middle:.2f}")
        return table


def latency(
    runners: Mapping[str, Runner],
    picture: Pixels,
    *,
    threads: int,
    runs: int,
    warm_up: int = 2,
    clock: Callable[[], float] = time.perf_counter,
    advance: Callable[[str], None] = lambda _: None,
) -> Latency:
    """Time networks on one picture, in turn, so that a drifting machine harms all alike.

    Args:
        runners: by name.
        picture: (1, 3, H, W).
        threads: that the runners were made with.
        runs: timed ones.
        warm_up: runs before them.
        clock: in seconds; with one thread and other work on the machine `time.process_time` tells
            what a quiet one would take.
        advance: told every run.
    """
    taken: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(warm_up + runs):
        for name, runner in runners.items():
            began = clock()
            runner(picture)
            if number >= warm_up:
                taken[name].append(clock() - began)
            advance(name)
    height, width = picture.shape[2:]
    seconds = {name: tuple(values) for name, values in taken.items()}
    return Latency(seconds, (width, height), threads)
