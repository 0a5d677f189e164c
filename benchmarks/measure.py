"""Whole processes, timed from outside and in turn, so that a drifting machine harms both alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Median cost of a command.

    Attributes:
        seconds: wall time of the whole process.
        megabytes: peak resident memory.
    """

    seconds: float
    megabytes: float


def run_once(command: Sequence[str]) -> Cost:
    """Run a command and return its cost.

    Raises:
        RuntimeError: it failed; its errors are quoted.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, errors = b"", process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {errors.decode()[-500:]}")
    return Cost(time.perf_counter() - start, usage.ru_maxrss / 1024)


def side_by_side(commands: Sequence[Sequence[str]], runs: int = 5) -> list[Cost]:
    """Run commands in turn, once to warm up and then ``runs`` times; return medians."""
    rounds = [[run_once(command) for command in commands] for _ in range(runs + 1)][1:]
    return [
        Cost(
            statistics.median(cost.seconds for cost in column),
            statistics.median(cost.megabytes for cost in column),
        )
        for column in zip(*rounds, strict=True)
    ]
