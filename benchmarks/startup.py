"""How long a command takes to say its first word."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Job, side_by_side
from benchmarks.sections import Compared, Line

COMMANDS = ("stdc-convert", "stdc-parity", "stdc-seg")
ALONE = "`python -c pass`"
PLAIN = {
    ALONE: "pass",
    "`python -c 'import numpy'`": "import numpy",
    "`python -c 'import torch'`": "import torch",
    "`python -c 'import paddle'`": "import paddle",
}


def rows(_: Path) -> Iterator[Line]:
    """Yield the table's lines."""
    folder = Path(sys.executable).parent
    ways = {f"`{name} --help`": [str(folder / name), "--help"] for name in COMMANDS}
    ways |= {name: [sys.executable, "-c", code] for name, code in PLAIN.items()}
    jobs = [Job(command) for command in ways.values()]
    costs = dict(zip(ways, side_by_side(jobs), strict=True))
    yield "Medians of five runs of whole processes, taken in turn.\n"
    yield "| command | s | processor s | MiB | times Python alone |"
    yield "|---|---|---|---|---|"
    for name, cost in costs.items():
        times = cost.seconds / costs[ALONE].seconds
        yield (
            f"| {name} | {cost.seconds:.3f} | {cost.processor:.3f} | {cost.megabytes:.0f} | "
            f"{times:.1f} |"
        )
    ours = costs["`stdc-convert --help`"].seconds
    for name in (ALONE, "`python -c 'import torch'`"):
        what, limit = "the start of `stdc-convert --help`", name == ALONE
        yield Compared(what, ours, costs[name].seconds, "s", name, limit=limit)
