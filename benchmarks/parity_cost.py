"""What the parity harness costs beside the forward passes that it compares."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.sections import Compared, Line

RUNS = 5
CASES = {"stdc2-seg@512x1024": "STDC2-Seg, 512×1024", "stack": "1000 layers of width 64"}
WAYS = {
    "plain": "the four forward passes alone",
    "check": "the check, both networks side by side",
    "disk": "the check, `--store disk`",
    "dumps": "two dumps and their comparison",
}


def once(way: str, case: str) -> dict[str, Any]:
    """Measure one way in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.parity_run", way, case]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def rows(_: Path) -> Iterator[Line]:
    """Yield a table; the ways are taken in turn, and the figures are medians."""
    yield (
        "Forward, in float32 and float64, both frameworks. Seconds are those of the check with its "
        "copies, conversion and verdicts, beside those of the four passes; MiB the peak of the "
        f"whole process. Medians of {RUNS} runs, taken in turn.\n"
    )
    yield "| network | way | s | times plain | CPU s | MiB | times plain | MB written |"
    yield "|---|---|---|---|---|---|---|---|"
    for case, title in CASES.items():
        rounds = [{way: once(way, case) for way in WAYS} for _ in range(RUNS)]
        costs = {way: {key: _median(rounds, way, key) for key in rounds[0][way]} for way in WAYS}
        plain = costs["plain"]
        for way, words in WAYS.items():
            cost = costs[way]
            yield (
                f"| {title} | {words} | {cost['seconds']:.2f} | "
                f"**{cost['seconds'] / plain['seconds']:.2f}** | {cost['cpu']:.2f} | "
                f"{cost['megabytes']:.0f} | **{cost['megabytes'] / plain['megabytes']:.2f}** | "
                f"{cost['written'] or ''} |"
            )
        ours, way = costs["check"], "the four forward passes alone"
        for what, key, unit in (("the check", "seconds", "s"), ("its memory", "megabytes", "MiB")):
            yield Compared(f"{what}, {title}", ours[key], plain[key], unit, way, limit=True)


def _median(rounds: list[dict[str, Any]], way: str, key: str) -> float:
    values = [one[way][key] for one in rounds]
    whole = [round(sum(value)) if isinstance(value, list) else value for value in values]
    return statistics.median(whole)
