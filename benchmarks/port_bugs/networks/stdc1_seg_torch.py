"""The STDC1 segmentation network and its training; `stdc1_seg_paddle.py` is its port."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from stdc_port.spec import resolve
from stdc_port.torch_nets.losses import SegmentationLoss
from stdc_port.torch_nets.segmentation import STDCSeg


def build() -> STDCSeg:
    """Build the network."""
    return STDCSeg(resolve("stdc1-seg", num_classes=5))


def loss(outputs: Any, labels: Tensor) -> Tensor:
    """Give the authors' loss of a training network's four outputs on labels (N, H, W)."""
    criterion = SegmentationLoss().to(outputs[0].dtype)
    return criterion(outputs, labels).total


def training(network: nn.Module) -> tuple[Any, Any]:
    """SGD, no decay on vectors, ten times the rate for fusion and heads; exponential warm-up."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        rate = 0.01 if name.startswith(("ffm.", "conv_out")) else 0.001
        decay = 5e-2 if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    optimizer = torch.optim.SGD(
        [
            {"params": params, "lr": rate, "weight_decay": decay}
            for (rate, decay), params in groups.items()
        ],
        lr=0.001,
        momentum=0.9,
    )
    warm_up = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda t: 0.1 ** (1 - t / 4) if t < 4 else (1 - (t - 4) / 16) ** 0.9
    )
    return optimizer, warm_up


def update(_: nn.Module, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
