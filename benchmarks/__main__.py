"""``python -m benchmarks``: measure, print, and write ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from benchmarks import large, parity_cost
from benchmarks.measure import Job, side_by_side

HERE = Path(__file__).parent
SAVE_CHECKPOINT = """
import sys, torch
from stdc_port import torch_nets
torch.manual_seed(1)
torch.save({"state_dict": torch_nets.build(sys.argv[1]).state_dict()}, sys.argv[2])
"""


def conversion(folder: Path, arch: str) -> Iterator[str]:
    """Yield table rows: our conversion beside the usual script, whole processes."""
    source, ours, theirs = (folder / f"{arch}{end}" for end in (".pth", ".pdparams", ".usual"))
    python = sys.executable
    side_by_side([Job([python, "-c", SAVE_CHECKPOINT, arch, str(source)])], runs=1)
    convert = [str(Path(python).with_name("stdc-convert")), str(source), "-o", str(ours)]
    usual = [python, str(HERE / "usual_script.py"), str(source), str(theirs)]
    mine, other = side_by_side([Job(convert, ours), Job(usual, theirs)])
    size = source.stat().st_size / 1e6
    yield (
        f"| {arch}, {size:.1f} MB | {mine.seconds:.2f} s | {other.seconds:.2f} s | "
        f"**{other.seconds / mine.seconds:.1f}** | {mine.megabytes:.0f} | {other.megabytes:.0f} | "
        f"**{other.megabytes / mine.megabytes:.1f}** | {ours.stat().st_size / 1e6:.1f} | "
        f"{theirs.stat().st_size / 1e6:.1f} |"
    )


def results() -> Iterator[str]:
    """Yield the lines of ``RESULTS.md``."""
    yield "# Measured\n"
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "paddlepaddle", "numpy"))
    yield (
        f"Made by `make bench` on {os.cpu_count()} cores ({platform.machine()}), Python "
        f"{platform.python_version()}, {versions}. Medians of five runs, taken in turn, of whole "
        "processes, imports included; ratios from the medians.\n"
    )
    yield "## Conversion, beside the usual script (`benchmarks/usual_script.py`)\n"
    yield (
        "| checkpoint | ours | usual | times faster | MiB ours | MiB usual | times less | "
        "MB written | MB usual |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        for arch in ("stdc1", "stdc2-seg"):
            yield from conversion(Path(folder), arch)
    yield (
        "\nThe memory of ours counts the mapped source file, of which the system can take back any "
        "page. Ours reads back and compares every tensor, the usual script none."
    )
    yield "\n## A large checkpoint, beside the limit\n"
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        yield from large.rows(Path(folder))
    yield "\n## The parity harness, beside the plain passes\n"
    yield from parity_cost.rows()
    yield from in_this_process()


def in_this_process() -> Iterator[str]:
    """Yield what is measured here, and last: a process begins as large as its parent."""
    from benchmarks import loader, training

    yield "\n## Training pictures, beside the authors' way (`benchmarks/plain_loader.py`)\n"
    with tempfile.TemporaryDirectory() as folder:
        yield from loader.rows(Path(folder))
    yield "\n## Training and evaluation\n"
    with tempfile.TemporaryDirectory() as folder:
        yield from training.rows(Path(folder))


def main() -> None:
    """Print the table as it is measured, then write it."""
    lines = []
    for line in results():
        print(line, flush=True)
        lines.append(line)
    (HERE / "RESULTS.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
