"""Our conversion beside the script that one finds everywhere, whole processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Job, side_by_side
from benchmarks.sections import Compared, Line

SCRIPT = Path(__file__).with_name("usual_script.py")
ARCHS = ("stdc1", "stdc2-seg")
SAVE_CHECKPOINT = """
import sys, torch
from stdc_port import torch_nets
torch.manual_seed(1)
torch.save({"state_dict": torch_nets.build(sys.argv[1]).state_dict()}, sys.argv[2])
"""


def rows(folder: Path) -> Iterator[Line]:
    """Yield the table's lines."""
    yield "Medians of five runs, taken in turn, of whole processes, imports included.\n"
    yield (
        "| checkpoint | ours | usual | times faster | MiB ours | MiB usual | times less | "
        "MB written | MB usual |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for arch in ARCHS:
        yield from one(folder, arch)
    yield (
        "\nThe memory of ours counts the mapped source file, of which the system can take back any "
        "page. Ours reads back and compares every tensor, the usual script none."
    )


def one(folder: Path, arch: str) -> Iterator[Line]:
    """Yield a network's line, and what goes to the top."""
    source, ours, theirs = (folder / f"{arch}{end}" for end in (".pth", ".pdparams", ".usual"))
    python = sys.executable
    side_by_side([Job([python, "-c", SAVE_CHECKPOINT, arch, str(source)])], runs=1)
    convert = [str(Path(python).with_name("stdc-convert")), str(source), "-o", str(ours)]
    usual = [python, str(SCRIPT), str(source), str(theirs)]
    mine, other = side_by_side([Job(convert, ours), Job(usual, theirs)])
    size = source.stat().st_size / 1e6
    yield (
        f"| {arch}, {size:.1f} MB | {mine.seconds:.2f} s | {other.seconds:.2f} s | "
        f"**{other.seconds / mine.seconds:.1f}** | {mine.megabytes:.0f} | {other.megabytes:.0f} | "
        f"**{other.megabytes / mine.megabytes:.1f}** | {ours.stat().st_size / 1e6:.1f} | "
        f"{theirs.stat().st_size / 1e6:.1f} |"
    )
    way = "the usual script"
    yield Compared(f"converting {arch}", mine.seconds, other.seconds, "s", way)
    yield Compared(f"memory for it, {arch}", mine.megabytes, other.megabytes, "MiB", way)
