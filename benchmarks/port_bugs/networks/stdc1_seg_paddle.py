"""The port of `stdc1_seg_torch.py`."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import Tensor, nn

from stdc_port.paddle_nets.losses import SegmentationLoss
from stdc_port.paddle_nets.segmentation import STDCSeg
from stdc_port.spec import resolve


def build() -> STDCSeg:
    """Build the network."""
    return STDCSeg(resolve("stdc1-seg", num_classes=5))


def loss(outputs: Any, labels: Tensor) -> Tensor:
    """Give the authors' loss of a training network's four outputs on labels (N, H, W)."""
    criterion = SegmentationLoss().astype(outputs[0].dtype)
    return criterion(outputs, labels).total


def training(network: nn.Layer) -> tuple[Any, Any]:
    """SGD, no decay on vectors, ten times the rate for fusion and heads; exponential warm-up."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if parameter.stop_gradient:
            continue  # Paddle counts BN's statistics among the parameters.
        factor = 10.0 if name.startswith(("ffm.", "conv_out")) else 1.0
        decay = 5e-2 if parameter.ndim > 1 else 0.0
        groups.setdefault((factor, decay), []).append(parameter)
    schedule = paddle.optimizer.lr.LambdaDecay(
        0.001, lambda t: 0.1 ** (1 - t / 4) if t < 4 else (1 - (t - 4) / 16) ** 0.9
    )
    optimizer = paddle.optimizer.Momentum(
        schedule,
        0.9,
        parameters=[
            {"params": params, "learning_rate": factor, "weight_decay": decay}
            for (factor, decay), params in groups.items()
        ],
    )
    return optimizer, schedule


def update(_: nn.Layer, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    optimizer.step()
    schedule.step()
    optimizer.clear_grad()
