"""A training step beside torch's on the same batch, and how fast a set is evaluated."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import torch

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
from stdc_port.training.recipe import load_recipe
from stdc_port.training.scenes import SceneSet, write_scenes
from stdc_port.training.step import Stepper
from stdc_port.training.variance import use_unbiased_variance

BATCH, CROP, ROUNDS = 4, (512, 256), 3
SCENES = SceneSet(train=1, val=2, width=2048, height=1024, seed=3)
MODEL, SCALES = "stdc1", (0.5, 0.75)


def train_steps() -> dict[str, Callable[[], Any]]:
    """Return a step of either framework: forward, losses, backward, optimizer, on one batch."""
    recipe = load_recipe("stdc1_seg50")
    random = np.random.default_rng(0)
    width, height = CROP
    images = random.normal(size=(BATCH, 3, height, width)).astype(np.float32)
    labels = random.integers(0, 19, (BATCH, height // 32, width // 32)).repeat(32, 1).repeat(32, 2)
    batch = Batch(images, labels)
    network, loss = paddle_nets.build(f"{MODEL}-seg"), SegmentationLoss()
    use_unbiased_variance(network)
    grouped = build_optimizer(network, loss, recipe)
    step = Stepper(network, loss, grouped.optimizer, grouped.trained, recipe)
    step.training_mode()
    other, other_loss = torch_nets.build(f"{MODEL}-seg", variant="authors-bn"), TorchLoss()
    optimizer = torch_optimizer(other, other_loss, recipe)
    given = torch.from_numpy(images), torch.from_numpy(labels)

    def by_torch() -> None:
        optimizer.zero_grad()
        other_loss(other(given[0]), given[1]).total.backward()
        optimizer.step()

    return {"torch": by_torch, "ours, in Paddle": lambda: step(batch, 0, recipe.rate.base)}


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
    torch.set_num_threads(1)
    paddle.base.core.set_num_threads(1)
    yield (
        f"{MODEL}-seg, batch {BATCH} of {CROP[0]}×{CROP[1]}, one thread; processor time, medians "
        f"of {ROUNDS} rounds taken in turn. Ours also checks that loss and gradients are finite "
        "and corrects the running variance.\n"
    )
    yield "| a training step | s | images/s | times torch's time |"
    yield "|---|---|---|---|"
    taken = _timed(train_steps())
    for name, seconds in taken.items():
        yield f"| {name} | {seconds:.2f} | {BATCH / seconds:.2f} | {seconds / taken['torch']:.2f} |"
    ours = taken["ours, in Paddle"]
    yield Compared(f"a training step, {MODEL}-seg", ours, taken["torch"], "s", "torch")
    yield f"\n{SCENES.val} generated pictures of {SCENES.width}×{SCENES.height}:\n"
    yield "| way | ms a picture | pictures/s |"
    yield "|---|---|---|"
    for name, seconds in _timed(evaluations(folder)).items():
        yield f"| {name} | {1000 * seconds / SCENES.val:.0f} | {SCENES.val / seconds:.2f} |"


def _timed(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, run in ways.items():
            began = time.process_time()
            run()
            taken[name].append(time.process_time() - began)
    return {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}
