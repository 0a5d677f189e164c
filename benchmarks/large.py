"""A checkpoint of gigabytes, beside the least that any tool could do: copy it and read it once.

``cp`` and ``cat`` work from the same warm cache; the copy is brought to disk, as ours is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measure import side_by_side
from converters.dtypes import BY_NAME
from converters.formats import safetensors_file
from converters.formats.content import Content, Head

GIB = float(os.environ.get("BENCH_GIB", "2"))
RULES = "[[kind]]\npattern = '.*linear'\nkind = \"linear\"\n"
CONV, LINEAR = (1024, 1024, 4, 4), (4096, 4096)
CHANNELS = CONV[0]
NORM = ("weight", "bias", "running_mean", "running_var")


def write_checkpoint(path: Path, blocks: int, *, linear: bool) -> None:
    """Write blocks of 64 MiB: a convolution and its BN, every other one a Linear if wanted."""
    heads = []
    for block in range(blocks):
        if linear and block % 2:
            heads.append(Head(f"block{block}.linear.weight", BY_NAME["float32"], LINEAR))
            continue
        heads.append(Head(f"block{block}.conv.weight", BY_NAME["float32"], CONV))
        names = (f"block{block}.bn.{name}" for name in NORM)
        heads += [Head(name, BY_NAME["float32"], (CHANNELS,)) for name in names]

    def tensors() -> Iterator[np.ndarray]:
        random = np.random.default_rng(1)
        for head in heads:
            yield random.random(head.shape, np.float32)

    with path.open("wb") as file:
        safetensors_file.write(file, Content(tuple(heads), tensors, {}, {"format": "pt"}))


def rows(folder: Path) -> Iterator[str]:
    """Yield the table's lines."""
    source, copy, target = (folder / name for name in ("a.safetensors", "copy", "a.pdparams"))
    rules = folder / "rules.toml"
    rules.write_text(RULES)
    ours = [str(Path(sys.executable).with_name("stdc-convert")), str(source), "-o", str(target)]
    ours += ["--rules", str(rules), "--force", "--quiet"]
    shell = ["sh", "-c"]
    limit = [*shell, f"cp '{source}' '{copy}' && sync '{copy}'"]
    read = [*shell, f"cat '{copy}' > /dev/null"]
    yield f"Float32 in safetensors, {GIB:g} GiB, largest tensor 64 MiB, to `.pdparams`.\n"
    yield (
        "| tensors | ours | without verification | cp and sync | read | times cp and read | "
        "MiB without mapped files | MiB with |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, linear in (("convolutions, copied", False), ("half Linear, transposed", True)):
        write_checkpoint(source, round(GIB * 16), linear=linear)
        costs = side_by_side([limit, read, ours, [*ours, "--no-verify"]], runs=3)
        copied, once, verified, plain = costs
        ratio = verified.seconds / (copied.seconds + once.seconds)
        yield (
            f"| {name} | {verified.seconds:.2f} s | {plain.seconds:.2f} s | "
            f"{copied.seconds:.2f} s | {once.seconds:.2f} s | **{ratio:.1f}** | "
            f"{verified.anonymous:.0f} | {verified.megabytes:.0f} |"
        )
