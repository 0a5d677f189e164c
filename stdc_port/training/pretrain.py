"""A small STDC1 classifier trained in torch, saved as the authors save theirs.

Runs in a process of its own: torch and Paddle never share one that forks or trains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from converters.files import made_folder, temporary_beside
from stdc_port.torch_nets import build
from stdc_port.training.labels import NUM_CLASSES
from stdc_port.training.patches import PatchSource
from stdc_port.training.schedule import Schedule

_SEED_OF_SCENES = 7_000_000
"""Far from any seed that a segmentation set is likely to have."""


@dataclass(frozen=True, kw_only=True)
class PretrainPlan:
    """How long the demo's classifier is trained."""

    iterations: int = 600
    batch_size: int = 64
    side: int = 48
    scenes: int = 150
    rate: float = 0.05
    seed: int = 0

    @property
    def steps(self) -> int:
        """What progress counts: scenes drawn and iterations."""
        return self.scenes + self.iterations


@dataclass(frozen=True)
class PretrainResult:
    """Where the classifier lies, and how good it is on patches from unseen scenes, in percent."""

    path: Path
    top1: float
    classes: int


def pretrain(
    path: Path, plan: PretrainPlan, *, advance: Callable[[str], None] = lambda _: None
) -> PretrainResult:
    """Train the classifier on patches of generated scenes and write it whole or not at all.

    Args:
        path: of the torch file: a dict with `state_dict` (aliases included), `epoch`,
            `best_top1`.
        plan: its length.
        advance: told a line after every step.
    """
    torch.manual_seed(plan.seed)
    network: Any = build("stdc1", num_classes=NUM_CLASSES)
    for layer in (network.fc, network.linear):
        # The authors' 0.001 takes thousands of steps to leave, and its gradients are denormal.
        torch.nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
    source = PatchSource(
        plan.scenes, side=plan.side, seed=_SEED_OF_SCENES + plan.seed, advance=advance
    )
    _train(network, source, plan, advance)
    top1 = _top1(network, plan)
    made_folder(path.parent)
    content = {"epoch": 1, "best_top1": top1, "state_dict": network.state_dict()}
    with temporary_beside(path) as temporary:
        torch.save(content, temporary)
        temporary.replace(path)
    return PretrainResult(path, top1, NUM_CLASSES)


def _train(
    network: torch.nn.Module,
    source: PatchSource,
    plan: PretrainPlan,
    advance: Callable[[str], None],
) -> None:
    schedule = Schedule(
        base=plan.rate,
        iterations=plan.iterations,
        warmup="linear",
        warmup_iterations=plan.iterations // 10,
        warmup_start=plan.rate / 20,
    )
    optimizer = torch.optim.SGD(
        network.parameters(), plan.rate, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    network.train()
    for iteration in range(plan.iterations):
        for row in optimizer.param_groups:
            row["lr"] = schedule.rate(iteration)
        images, labels = source.draw(plan.batch_size)
        loss = F.cross_entropy(network(torch.from_numpy(images)), torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        advance(f"loss {loss.item():.3f}")


def _top1(network: torch.nn.Module, plan: PretrainPlan) -> float:
    network.eval()
    unseen = PatchSource(20, side=plan.side, seed=_SEED_OF_SCENES + plan.seed + 1)
    with torch.no_grad():
        right = 0
        for _ in range(4):
            images, labels = unseen.draw(128)
            right += int((network(torch.from_numpy(images)).argmax(1).numpy() == labels).sum())
    return 100 * right / 512
