"""What load does: very many tensors, one very large one, and many conversions at once."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measure import Cost, Job, run_once, user
from benchmarks.sections import Compared, Line
from converters.dtypes import BY_NAME
from converters.formats import torch_zip
from converters.formats.content import Content, Head

COUNTS = (50_000, 100_000, 200_000)
GIB = int(os.environ.get("BENCH_LOAD_GIB", "8"))
AT_ONCE = 64
CONVERT = [sys.executable, "-m", "converters.cli", "--quiet"]
NORM = ("weight", "bias", "running_mean", "running_var")


def layers(blocks: int, width: int) -> Iterator[Head]:
    """Yield the tensors of a network, ten a block: a convolution, its BN, two Linears."""
    real = BY_NAME["float32"]
    for block in range(blocks):
        root = f"blocks.{block}"
        yield Head(f"{root}.conv.weight", real, (width, width, 3, 3))
        yield from (Head(f"{root}.bn.{name}", real, (width,)) for name in NORM)
        yield Head(f"{root}.bn.num_batches_tracked", BY_NAME["int64"], ())
        for name, (outputs, inputs) in {
            "up": (2 * width, width),
            "down": (width, 2 * width),
        }.items():
            yield Head(f"{root}.{name}.weight", real, (outputs, inputs))
            yield Head(f"{root}.{name}.bias", real, (outputs,))


def write_network(path: Path, tensors: int, width: int) -> None:
    """Write a torch file of a network with so many tensors."""
    heads = tuple(layers(tensors // 10, width))

    def made() -> Iterator[np.ndarray]:
        random = np.random.default_rng(1)
        for head in heads:
            real = head.type.name == "float32"
            yield random.random(head.shape, np.float32) if real else np.array(7)

    with path.open("wb") as file:
        torch_zip.write(file, Content(heads, made))


def write_sparse(path: Path, shape: tuple[int, ...], key: str) -> None:
    """Write a safetensors file of one float32 tensor of zeros, which takes no room on the disk."""
    size = 4 * int(np.prod(shape))
    bias = {"dtype": "F32", "shape": [shape[0]], "data_offsets": [size, size + 4 * shape[0]]}
    entry = {"dtype": "F32", "shape": list(shape), "data_offsets": [0, size]}
    header = {"__metadata__": {"format": "pt"}, f"{key}.weight": entry, f"{key}.bias": bias}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + size + 4 * shape[0])


def many(folder: Path) -> Iterator[str]:
    """Yield the table of commands by number of tensors."""
    yield (
        "Very many tensors: a `.pth` of small layers, ten tensors a block; each command once, the "
        "whole process.\n"
    )
    yield "| tensors | command | processor seconds | µs a tensor | MiB without mapped files | MiB |"
    yield "|---|---|---|---|---|---|"
    for count in COUNTS:
        source, target = folder / "many.pth", folder / "many.pdparams"
        write_network(source, count, 4)
        convert = [*CONVERT, str(source), "-o", str(target)]
        commands = {
            "convert": [*convert, "--force"],
            "convert --dry-run": [*convert, "--dry-run", "--force"],
            "inspect": [*CONVERT[:-1], "inspect", str(source)],
            "diff": [*CONVERT[:-1], "diff", str(source), str(target)],
        }
        for name, command in commands.items():
            cost = run_once(Job(command))
            yield (
                f"| {count} | {name} | {cost.processor:.1f} | {1e6 * cost.processor / count:.0f} | "
                f"{cost.anonymous:.0f} | {cost.megabytes:.0f} |"
            )
        for path in (source, target):
            path.unlink()


def one(folder: Path) -> Iterator[str]:
    """Yield the table of one very large tensor: as it is, and transposed."""
    yield f"\nOne tensor of {GIB} GiB (float32, a sparse safetensors file), to `.pdparams`.\n"
    yield "| tensor | seconds | processor seconds | MiB without mapped files | MiB |"
    yield "|---|---|---|---|---|"
    source, target = folder / "one.safetensors", folder / "one.pdparams"
    side = GIB << 13
    shapes = {"convolution, copied": (side, 1 << 11, 4, 4), "Linear, transposed": (side, 1 << 15)}
    for name, shape in shapes.items():
        write_sparse(source, shape, "layer")
        cost = run_once(Job([*CONVERT, str(source), "-o", str(target)], target))
        yield f"| {name}, {list(shape)} | {figures(cost)} |"
        for path in (source, target):
            path.unlink()


def figures(cost: Cost) -> str:
    """Return a cost as the cells of a table."""
    return (
        f"{cost.seconds:.1f} | {cost.processor:.1f} | {cost.anonymous:.0f} | {cost.megabytes:.0f}"
    )


def together(folder: Path) -> Iterator[Line]:
    """Yield the table of many conversions at once, beside one after the other."""
    source = folder / "network.pth"
    write_network(source, 200, 128)
    size = source.stat().st_size / 1e6
    targets = [folder / f"{number}.pdparams" for number in range(AT_ONCE)]
    commands = [[*CONVERT, str(source), "-o", str(target)] for target in targets]
    yield (
        f"\n{AT_ONCE} conversions of a `.pth` of {size:.0f} MB on {os.cpu_count()} cores, each a "
        "process; memory as the sum of all their peaks, mapped files included.\n"
    )
    yield "| how | seconds | processor seconds | MiB in sum | written alike |"
    yield "|---|---|---|---|---|"
    taken = []
    for how, groups in (
        ("one after the other", [[one] for one in commands]),
        ("all at once", [commands]),
    ):
        began, costs = time.perf_counter(), [cost for group in groups for cost in at_once(group)]
        seconds = time.perf_counter() - began
        taken.append(seconds)
        processor, memory = (sum(column) for column in zip(*costs, strict=True))
        first = targets[0].read_bytes()
        alike = sum(target.read_bytes() == first for target in targets)
        yield f"| {how} | {seconds:.1f} | {processor:.1f} | {memory:.0f} | {alike} of {AT_ONCE} |"
        for target in targets:
            target.unlink()
    one_by_one, at_a_time = taken
    yield Compared(f"{AT_ONCE} conversions at once", at_a_time, one_by_one, "s", "one by one")


def at_once(commands: list[list[str]]) -> Iterator[tuple[float, float]]:
    """Start commands together, and yield of each its processor seconds and its peak in MiB.

    Raises:
        RuntimeError: one failed.
    """
    processes = [subprocess.Popen(command, env=user()) for command in commands]
    for process in processes:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        yield usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def rows(folder: Path) -> Iterator[Line]:
    """Yield the tables' lines."""
    yield from many(folder)
    yield from one(folder)
    yield from together(folder)
