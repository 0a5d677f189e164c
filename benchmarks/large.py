"""A checkpoint of gigabytes, beside the least that any tool could do: copy it and read it once.

``cp`` and ``cat`` work from the same warm cache; the copy is brought to disk, as ours is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from benchmarks.measure import Job, side_by_side
from benchmarks.sections import Compared, Line
from converters.dtypes import BY_NAME
from converters.formats import safetensors_file, torch_zip
from converters.formats.content import Content, Head

GIB = float(os.environ.get("BENCH_GIB", "4"))
RUNS = 5
HASH = (
    "import sys; from pathlib import Path; from converters.background import digest_of; "
    "digest_of(*map(Path, sys.argv[1:])).result()"
)
CONV, LINEAR = (1024, 1024, 4, 4), (8192, 2048)
CHANNELS = CONV[0]
NORM = ("weight", "bias", "running_mean", "running_var")
Writer = Callable[[BinaryIO, Content], None]
# Suffix, writer, whether every other tensor is a Linear's, and what the table calls it.
SOURCES: tuple[tuple[str, Writer, bool, str], ...] = (
    (".safetensors", safetensors_file.write, False, "safetensors, copied"),
    (".safetensors", safetensors_file.write, True, "safetensors, half transposed"),
    (".pth", torch_zip.write, False, "torch zip, copied"),
)


def write_checkpoint(path: Path, writer: Writer, blocks: int, *, linear: bool) -> None:
    """Write blocks of 64 MiB: a convolution and its BN, or every other one a Linear if wanted."""
    heads = []
    for block in range(blocks):
        if linear and block % 2:
            heads.append(Head(f"block{block}.linear.weight", BY_NAME["float32"], LINEAR))
            heads.append(Head(f"block{block}.linear.bias", BY_NAME["float32"], LINEAR[:1]))
            continue
        heads.append(Head(f"block{block}.conv.weight", BY_NAME["float32"], CONV))
        names = (f"block{block}.bn.{name}" for name in NORM)
        heads += [Head(name, BY_NAME["float32"], (CHANNELS,)) for name in names]

    def tensors() -> Iterator[np.ndarray]:
        random = np.random.default_rng(1)
        for head in heads:
            yield random.random(head.shape, np.float32)

    with path.open("wb") as file:
        writer(file, Content(tuple(heads), tensors, {}, {"format": "pt"}))


def rows(folder: Path) -> Iterator[Line]:
    """Yield the table's lines."""
    yield f"Float32, {GIB:g} GiB, largest tensor 64 MiB, to `.pdparams`; medians of {RUNS} runs.\n"
    yield (
        "| source | ours | without verification | cp and sync | read | times cp, sync and read | "
        "processor seconds | of these SHA-256 | MiB without mapped files | MiB with |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for suffix, writer, linear, name in SOURCES:
        source = folder / f"source{suffix}"
        write_checkpoint(source, writer, round(GIB * 16), linear=linear)
        yield from one(source, name)
        source.unlink()


def one(source: Path, name: str) -> Iterator[Line]:
    """Yield a file's line, and what goes to the top."""
    copy, target = (source.with_name(name) for name in ("copy", "target.pdparams"))
    ours = [str(Path(sys.executable).with_name("stdc-convert")), str(source), "-o", str(target)]
    ours.append("--quiet")
    jobs = (
        Job(["sh", "-c", f"cp '{source}' '{copy}' && sync '{copy}'"], copy),
        Job(["sh", "-c", f"cat '{copy}' > /dev/null"]),
        Job(ours, target),
        Job([*ours, "--no-verify"], target),
    )
    copied, once, verified, plain = side_by_side(jobs, RUNS)
    (hashed,) = side_by_side([Job([sys.executable, "-c", HASH, str(source), str(target)])], runs=1)
    least = copied.seconds + once.seconds
    cells = (
        name,
        *(f"{cost.seconds:.2f} s" for cost in (verified, plain, copied, once)),
        f"**{verified.seconds / least:.2f}**",
        f"{verified.processor:.1f}",
        f"{hashed.processor:.1f}",
        f"{verified.anonymous:.0f}",
        f"{verified.megabytes:.0f}",
    )
    yield f"| {' | '.join(cells)} |"
    what = f"converting {GIB:g} GiB, {name}"
    yield Compared(what, verified.seconds, least, "s", "copying it and reading it once", limit=True)
