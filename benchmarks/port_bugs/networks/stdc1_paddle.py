"""The port of `stdc1_torch.py`."""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from stdc_port.paddle_nets.backbone import STDCNet
from stdc_port.spec import resolve


def build() -> STDCNet:
    """Build the network."""
    return STDCNet(resolve("stdc1", num_classes=10))


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (N, 10) on labels (N,)."""
    return F.cross_entropy(logits, labels)


def training(network: nn.Layer) -> tuple[Any, Any]:
    """SGD with decay on all; the rate falls tenfold after two and four steps."""
    schedule = paddle.optimizer.lr.MultiStepDecay(0.01, milestones=[2, 4], gamma=0.1)
    trained = [p for p in network.parameters() if not p.stop_gradient]
    optimizer = paddle.optimizer.Momentum(schedule, 0.9, parameters=trained, weight_decay=1e-2)
    return optimizer, schedule


def update(_: nn.Layer, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    optimizer.step()
    schedule.step()
    optimizer.clear_grad()
