"""Every bug and every correct port given to the harness."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.port_bugs.bug import Bug
from benchmarks.port_bugs.bugs import BUGS
from benchmarks.port_bugs.correct import CORRECT, Correct
from benchmarks.port_bugs.score import Alarm, Score, judge, judge_correct
from benchmarks.port_bugs.tables import section
from converters.command_line import progress_bar


def ask_all(
    bugs: Sequence[Bug], correct: Sequence[Correct]
) -> tuple[tuple[Score, ...], tuple[Alarm, ...]]:
    """Return what the harness says of ports with a bug, and of correct ones."""
    warnings.simplefilter("ignore")
    with progress_bar("asking", len(bugs) + len(correct)) as step:
        scores = tuple(step(bug.name) or judge(bug) for bug in bugs)
        return scores, tuple(step(port.name) or judge_correct(port) for port in correct)


def rows(_: Path) -> Iterator[str]:
    """Yield the section's lines."""
    yield from section(*ask_all(BUGS, CORRECT))
