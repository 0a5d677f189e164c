"""How long one picture takes in each exported format, as trained and with what is left out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paddle

from benchmarks.sections import Compared, Line
from stdc_port import paddle_nets
from stdc_port.export.folding import Reduction
from stdc_port.export.formats import FORMATS
from stdc_port.export.latency import latency
from stdc_port.export.paddle_side import eager
from stdc_port.export.writing import export, pictures
from stdc_port.training.augmentation import IMAGENET
from stdc_port.training.processor import use_wide_vectors

MODEL, SIZE, THREADS, RUNS = "stdc1", (1024, 512), 1, 5
EAGER = "Paddle, eager, as trained"
WAYS = {
    "": Reduction(),
    ", heads dropped, BN folded": Reduction(drop_heads=True, fold_norms=True),
}
NAMES = {"paddle": "Paddle, `jit.save`", "onnx": "ONNX Runtime", "torch": "torch"}


def rows(folder: Path) -> Iterator[Line]:
    """Yield the table's lines: every file compared with the network, then all timed in turn."""
    use_wide_vectors()
    paddle.seed(1)
    network: Any = paddle_nets.build(f"{MODEL}-seg")
    network.eval()
    runners, differences = {EAGER: eager(network, threads=THREADS)}, {EAGER: 0.0}
    inputs = pictures([], SIZE, IMAGENET, count=1)
    for number, (title, reduction) in enumerate(WAYS.items()):
        place = folder / str(number)
        made = export(network, MODEL, place, tuple(NAMES), inputs, reduction=reduction)
        for row in made.rows:
            name = NAMES[row.format] + title
            differences[name] = row.difference
            runners[name] = FORMATS[row.format].load(made.exported, THREADS)
    picture, clock = inputs[0][0], time.process_time
    taken = latency(runners, picture, threads=THREADS, runs=RUNS, clock=clock)
    medians: dict[str, float] = taken.to_json()["median"]
    yield (
        f"{MODEL}-seg, its main head, one picture of {SIZE[0]}×{SIZE[1]} (width×height), "
        f"{THREADS} thread, processor time, medians of {RUNS} runs taken in turn; the difference "
        "is that of the logits to the trained network's, relative to the largest. `stdc-seg "
        "bench` times an export of one's own.\n"
    )
    yield "| what runs | ms | pictures/s | largest difference |"
    yield "|---|---|---|---|"
    for name, seconds in medians.items():
        yield f"| {name} | {1000 * seconds:.0f} | {1 / seconds:.1f} | {differences[name]:.1e} |"
    fastest = min(medians, key=lambda name: medians[name])
    yield Compared(
        f"a picture through {MODEL}-seg, exported ({fastest})",
        1000 * medians[fastest],
        1000 * medians[EAGER],
        "ms",
        "Paddle, eager",
    )
