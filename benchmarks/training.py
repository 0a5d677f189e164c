"""A training step beside torch's on the same batch, and how fast a set is evaluated."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import torch

from benchmarks import operations
from benchmarks.sections import Compared, Line
from parity.job.stdc_recipe import torch_optimizer
from stdc_port import paddle_nets, torch_nets
from stdc_port.paddle_nets.losses import SegmentationLoss
from stdc_port.torch_nets.losses import SegmentationLoss as TorchLoss
from stdc_port.training.augmentation import IMAGENET
from stdc_port.training.batches import Batch
from stdc_port.training.cityscapes import find_pairs, read_pair
from stdc_port.training.evaluate import evaluate
from stdc_port.training.optimizer import build_optimizer
from stdc_port.training.processor import VARIABLE, use_wide_vectors
from stdc_port.training.recipe import load_recipe
from stdc_port.training.scenes import SceneSet, write_scenes
from stdc_port.training.step import Stepper
from stdc_port.training.variance import use_unbiased_variance

BATCH, CROP, ROUNDS = 4, (512, 256), 5
SMALL, PAIRS = (128, 64), 22
RECIPE, OURS = "stdc1_seg50", "ours, in Paddle"
SCENES = SceneSet(train=1, val=2, width=2048, height=1024, seed=3)
MODEL, SCALES = "stdc1", (0.5, 0.75)


def batch_of(crop: tuple[int, int]) -> Batch:
    """Return a batch of noise, its labels in blocks."""
    random = np.random.default_rng(0)
    width, height = crop
    images = random.normal(size=(BATCH, 3, height, width)).astype(np.float32)
    labels = random.integers(0, 19, (BATCH, height // 32, width // 32)).repeat(32, 1).repeat(32, 2)
    return Batch(images, labels)


def train_steps() -> dict[str, Callable[[], Any]]:
    """Return a step of either framework: forward, losses, backward, optimizer, on one batch."""
    batch = batch_of(CROP)
    return {"torch": by_torch(batch), OURS: ours(batch, unbiased=True)}


def by_torch(batch: Batch) -> Callable[[], Any]:
    """Return a step of torch, with the loss and the groups of ours."""
    network, loss = torch_nets.build(f"{MODEL}-seg", variant="authors-bn"), TorchLoss()
    optimizer = torch_optimizer(network, loss, load_recipe(RECIPE))
    images, labels = torch.from_numpy(batch.images), torch.from_numpy(batch.labels)

    def step() -> None:
        optimizer.zero_grad()
        loss(network(images), labels).total.backward()
        optimizer.step()

    return step


def ours(batch: Batch, *, unbiased: bool) -> Callable[[], Any]:
    """Return a step of ours, with torch's running variance or Paddle's."""
    recipe = load_recipe(RECIPE)
    network, loss = paddle_nets.build(f"{MODEL}-seg"), SegmentationLoss()
    if unbiased:
        use_unbiased_variance(network)
    grouped = build_optimizer(network, loss, recipe)
    step = Stepper(network, loss, grouped.optimizer, grouped.trained, recipe)
    step.training_mode()
    return lambda: step(batch, 0, recipe.rate.base)


def by_itself() -> dict[str, float]:
    """Return the seconds of `train_steps` where MKL chooses its code: a process of its own."""
    environment = {**os.environ, VARIABLE: "0"}
    command = [sys.executable, "-m", "benchmarks.training"]
    found = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    seconds: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
    return seconds


def cost_of_variance() -> float:
    """Return the milliseconds by which torch's running variance makes a step longer.

    They depend on the layers alone, and are measured on small pictures, pair by pair.
    """
    batch = batch_of(SMALL)
    steps = [ours(batch, unbiased=unbiased) for unbiased in (True, False)]
    pairs = [tuple(_seconds(step) for step in steps) for _ in range(PAIRS)]
    return 1000 * statistics.median(one - other for one, other in pairs[2:])


def evaluations(folder: Path) -> dict[str, Callable[[], Any]]:
    """Return what goes through a set of Cityscapes' size once: reading it, and evaluating it."""
    write_scenes(folder / "scenes", SCENES)
    pairs = find_pairs(folder / "scenes", "val")
    network: Any = paddle_nets.build(f"{MODEL}-seg")
    network.eval()

    def at(scale: float) -> Callable[[], Any]:
        return lambda: evaluate(network, pairs, scale=scale, normalisation=IMAGENET)

    return {
        "reading and checking alone": lambda: [read_pair(pair) for pair in pairs],
        **{f"evaluation at scale {scale:g}": at(scale) for scale in SCALES},
    }


def rows(folder: Path) -> Iterator[Line]:
    """Yield the tables' lines: one thread, the ways in turn."""
    use_wide_vectors()
    _one_thread()
    yield (
        f"{MODEL}-seg, batch {BATCH} of {CROP[0]}×{CROP[1]}, one thread; processor time, medians "
        f"of {ROUNDS} rounds taken in turn. Ours also checks that loss and gradients are finite "
        "and corrects the running variance.\n"
    )
    yield "| a training step | s | images/s | times torch's time |"
    yield "|---|---|---|---|"
    for name, seconds in (taken := _timed(train_steps())).items():
        yield _step_row(name, seconds, taken["torch"])
    yield Compared(f"a training step, {MODEL}-seg", taken[OURS], taken["torch"], "s", "torch")
    alone = by_itself()
    yield _step_row(f"ours, `{VARIABLE}=0`", alone[OURS], alone["torch"])
    yield (
        f"\n`{VARIABLE}=0` leaves it to Paddle's MKL what code to run, on AMD's processors the "
        "slowest; the commands of `stdc-seg` name a faster one. Torch's running variance takes "
        f"{cost_of_variance():.1f} ms of a step of any size."
    )
    yield "\nThe operations that take most of it, each by itself:\n"
    yield from operations.rows()
    yield f"\n{SCENES.val} generated pictures of {SCENES.width}×{SCENES.height}:\n"
    yield "| way | ms a picture | pictures/s |"
    yield "|---|---|---|"
    for name, seconds in _timed(evaluations(folder)).items():
        yield f"| {name} | {1000 * seconds / SCENES.val:.0f} | {SCENES.val / seconds:.2f} |"


def _seconds(run: Callable[[], Any]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _step_row(name: str, seconds: float, torchs: float) -> str:
    return f"| {name} | {seconds:.2f} | {BATCH / seconds:.2f} | {seconds / torchs:.2f} |"


def _one_thread() -> None:
    torch.set_num_threads(1)
    paddle.base.core.set_num_threads(1)


def _timed(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, run in ways.items():
            taken[name].append(_seconds(run))
    return {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}


if __name__ == "__main__":
    _one_thread()
    print(json.dumps(_timed(train_steps())))
