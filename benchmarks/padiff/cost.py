"""What a check by PaDiff costs, beside ours, on the same pair of networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Job, side_by_side
from benchmarks.padiff import environment
from benchmarks.padiff.cost_run import ARCH, SHAPE
from benchmarks.sections import Compared, Line

RUNS = 3
WAYS = {
    "plain": "both networks run once in float32, nothing compared",
    "ours-float32": "ours, outputs, float32 alone",
    "ours": "ours, outputs, float32 and float64 (the default)",
    "padiff": "PaDiff, outputs, float32 (it has no other)",
    "ours-gradients": "ours, outputs and gradients, float32 and float64",
    "padiff-gradients": "PaDiff, outputs and gradients, float32",
}
PAIRS = (("ours", "padiff", "outputs"), ("ours-gradients", "padiff-gradients", "gradients too"))


def rows(folder: Path) -> Iterator[Line]:
    """Yield the table's lines."""
    start = ["env", f"PYTHONPATH={environment.ROOT}", environment.python(), "-W", "ignore"]
    jobs = [Job([*start, "-m", "benchmarks.padiff.cost_run", way], folder=folder) for way in WAYS]
    costs = dict(zip(WAYS, side_by_side(jobs, RUNS), strict=True))
    yield (
        f"{ARCH}, {'×'.join(map(str, SHAPE))}, a correct port with torch's weights, evaluation "
        "mode. PaDiff 0.2.0 compares every element to 1e-5. Whole processes, imports included; "
        f"medians of {RUNS} runs, taken in turn.\n"
    )
    yield "| way | s | processor s | MiB |"
    yield "|---|---|---|---|"
    for way, cost in costs.items():
        yield f"| {WAYS[way]} | {cost.seconds:.1f} | {cost.processor:.1f} | {cost.megabytes:.0f} |"
    for mine, other, what in PAIRS:
        for key, unit in (("seconds", "s"), ("megabytes", "MiB")):
            figures = (getattr(costs[way], key) for way in (mine, other))
            yield Compared(f"the check of {ARCH}, {what}", *figures, unit, "PaDiff")
