"""The line that is looked at while a training runs."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stdc_port.training.runlog import Step

_SMOOTH = 0.9


class Smoothed:
    """Running means of what single iterations show too unsteadily."""

    def __init__(self) -> None:
        self._kept: dict[str, float] = {}

    def line(self, step: Step) -> str:
        """The figures of a training up to an iteration, in one line."""
        loss = self._mean("loss", step.loss)
        parts = " ".join(f"{name} {self._mean(name, v):.2f}" for name, v in step.parts.items())
        seconds = self._mean("seconds", step.seconds)
        waited = self._mean("waited", step.waited)
        speed = step.images_per_second * step.seconds / seconds
        return (
            f"loss {loss:.3f} ({parts})  rate {step.rate:.2e}  {speed:.1f} images/s  "
            f"waits {waited / seconds:.0%}  {memory_gib():.1f} GiB"
        )

    def _mean(self, name: str, value: float) -> float:
        kept = self._kept.get(name, value)
        self._kept[name] = _SMOOTH * kept + (1 - _SMOOTH) * value
        return self._kept[name]


def memory_gib() -> float:
    """The most memory that the training had: the device's on a GPU, else the process's."""
    import paddle

    if paddle.get_device().startswith("gpu"):
        return float(paddle.device.cuda.max_memory_allocated()) / 2**30
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


@contextmanager
def training_line(
    done: int, total: int, *, quiet: bool = False
) -> Iterator[Callable[[Step], None]]:
    """Yield a function to call once an iteration; the line is on stderr, only on a terminal.

    Args:
        done: iterations before this process.
        total: the recipe's.
        quiet: show nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns)
    task = bar.add_task("training", total=total, completed=done)
    smoothed = Smoothed()
    with Live(bar, console=Console(stderr=True), transient=True) as live:

        def show(step: Step) -> None:
            bar.update(task, completed=step.iteration + 1)
            live.update(Group(bar, Text(smoothed.line(step))))

        yield show
