"""Whole processes, timed from outside and in turn, so that a drifting machine harms both alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """Median cost of a command.

    Attributes:
        seconds: wall time of the whole process.
        processor: seconds of all processors together.
        megabytes: peak resident memory.
        anonymous: the same without mapped files, sampled; 0 where the system does not tell.
    """

    seconds: float
    processor: float
    megabytes: float
    anonymous: float


def user() -> dict[str, str]:
    """Return the environment of somebody whose Python keeps what it compiled, as it does."""
    return {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Job:
    """A command to be measured.

    Attributes:
        command: its words.
        output: the file that it writes. It is removed beforehand: whoever replaces a file as a
            whole would otherwise pay for the old one's removal, who overwrites it would not.
        folder: where it runs; here if None.
    """

    command: Sequence[str]
    output: Path | None = None
    folder: Path | None = None


def run_once(job: Job) -> Cost:
    """Run a command and return its cost.

    Raises:
        RuntimeError: it failed; its errors are quoted.
    """
    command = job.command
    if job.output is not None:
        job.output.unlink(missing_ok=True)
    start = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env=user(), cwd=job.folder
        )
        sampler = Sampler(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        sampler.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {errors.read().decode()[-500:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, sampler.peak)


class Sampler:
    """Looks at a process's anonymous memory (RssAnon, MiB) a hundred times a second."""

    def __init__(self, process: int) -> None:
        self.peak = 0.0
        self._status = Path(f"/proc/{process}/status")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            with suppress(OSError):
                for line in self._status.read_text().splitlines():
                    if line.startswith("RssAnon"):
                        self.peak = max(self.peak, int(line.split()[1]) / 1024)

    def stop(self) -> None:
        """End the watch."""
        self._ended.set()
        self._thread.join()


def side_by_side(jobs: Sequence[Job], runs: int = 5) -> list[Cost]:
    """Run commands in turn, once to warm up and then ``runs`` times; return medians."""
    rounds = [[run_once(job) for job in jobs] for _ in range(runs + 1)][1:]
    return [
        Cost(
            statistics.median(cost.seconds for cost in column),
            statistics.median(cost.processor for cost in column),
            statistics.median(cost.megabytes for cost in column),
            max(cost.anonymous for cost in column),
        )
        for column in zip(*rounds, strict=True)
    ]
