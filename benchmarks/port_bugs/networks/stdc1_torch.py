"""The STDC1 classifier and its training; `stdc1_paddle.py` is its port."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stdc_port.spec import resolve
from stdc_port.torch_nets.backbone import STDCNet


def build() -> STDCNet:
    """Build the network."""
    return STDCNet(resolve("stdc1", num_classes=10))


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (N, 10) on labels (N,)."""
    return F.cross_entropy(logits, labels)


def training(network: nn.Module) -> tuple[Any, Any]:
    """SGD with decay on all; the rate falls tenfold after two and four steps."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-2)
    return optimizer, torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[2, 4], gamma=0.1)


def update(_: nn.Module, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
