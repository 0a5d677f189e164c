"""How fast training pictures come, beside the authors' way written plainly and beside decoding."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.plain_loader import PlainLoader
from benchmarks.sections import Compared, Line
from stdc_port.training.augmentation import IMAGENET
from stdc_port.training.batches import BatchPlan, TrainingSet
from stdc_port.training.cityscapes import Pair, read_image, read_label_values
from stdc_port.training.decoded import PairReader
from stdc_port.training.recipe import load_recipe

PICTURES, ROUNDS, WIDTH, HEIGHT = 8, 5, 2048, 1024
PLAINLY = "the authors' way, plainly"
OCTAVES = (4, 8, 16, 32, 64, 128, 256)


def write_pictures(folder: Path) -> tuple[Pair, ...]:
    """Write pictures of Cityscapes' size that pack as badly as photographs: 2.5 MB each."""
    pairs = []
    for number in range(PICTURES):
        random = np.random.default_rng(number)
        colours = sum(_field(random, rows) * 40 / (rows / 4) ** 0.6 for rows in OCTAVES)
        grain = random.normal(size=(HEIGHT, WIDTH, 1))
        pair = Pair(
            f"{number}", folder / f"{number}.png", folder / f"{number}_labels.png", train_ids=False
        )
        pixels = np.clip(110 + colours + grain, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(pair.image)
        ids = (_field(random, 24)[..., 0] * 6 + 15).clip(0, 33).astype(np.uint8)
        Image.fromarray(ids).save(pair.labels)
        pairs.append(pair)
    return tuple(pairs)


def _field(random: np.random.Generator, rows: int) -> np.ndarray:
    values = random.normal(size=(3, rows, 2 * rows)).astype(np.float32)
    size = (WIDTH, HEIGHT)
    return np.stack(
        [np.asarray(Image.fromarray(v).resize(size, Image.Resampling.BICUBIC)) for v in values], -1
    )


def ways(pairs: tuple[Pair, ...]) -> dict[str, Callable[[], Any]]:
    """Return what is measured: each goes through all pictures once."""
    data = load_recipe("stdc1_seg75").data
    plan = BatchPlan(samples=len(pairs), batch_size=len(pairs), seed=0)
    ours = TrainingSet(
        pairs=pairs, plan=plan, augmentation=data.augmentation(), normalisation=IMAGENET
    )
    kept = replace(ours, reader=PairReader(pairs[0].image.parent / "decoded"))
    theirs = PlainLoader(pairs, plan, data.augmentation(), IMAGENET)
    epochs = {name: iter(range(ROUNDS)) for name in ("theirs", "ours", "kept")}
    kept.batch(ROUNDS)

    def decoded() -> None:
        for pair in pairs:
            read_image(pair.image)
            read_label_values(pair.labels)

    def by_pillow() -> None:
        for pair in pairs:
            with Image.open(pair.image) as image:
                image.convert("RGB")
            read_label_values(pair.labels)

    return {
        PLAINLY: lambda: theirs.batch(next(epochs["theirs"])),
        "ours": lambda: ours.batch(next(epochs["ours"])),
        "ours, kept decoded (`data.decoded`)": lambda: kept.batch(next(epochs["kept"])),
        "decoding alone": decoded,
        "decoding alone, by Pillow": by_pillow,
    }


def rows(folder: Path) -> Iterator[Line]:
    """Yield the table's lines: one process, one thread; the ways in turn."""
    taken: dict[str, list[float]] = {}
    measured = ways(write_pictures(folder))
    for _ in range(ROUNDS):
        for name, run in measured.items():
            began = time.process_time()
            run()
            taken.setdefault(name, []).append((time.process_time() - began) / PICTURES)
    plainly = statistics.median(taken[PLAINLY])
    yield (
        f"{PICTURES} pictures of {WIDTH}×{HEIGHT} (PNG, 2.5 MB), crop 1024×512, one process, one "
        f"thread; processor time, medians of {ROUNDS} rounds taken in turn.\n"
    )
    yield "| way | ms a picture | pictures/s | times the authors' way |"
    yield "|---|---|---|---|"
    for name, seconds in taken.items():
        one = statistics.median(seconds)
        yield f"| {name} | {1000 * one:.0f} | {1 / one:.1f} | {plainly / one:.1f} |"
        if name.startswith("ours"):
            yield Compared(f"a training picture, {name}", 1000 * one, 1000 * plainly, "ms", PLAINLY)
