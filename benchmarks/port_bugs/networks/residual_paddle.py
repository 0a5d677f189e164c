"""The port of `residual_torch.py`."""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn


class Squeeze(nn.Layer):
    """Weights the channels by their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, channels)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(channels, channels)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        scale = self.gate(self.fc2(self.relu(self.fc1(x.mean((2, 3))))))
        return x * scale[:, :, None, None]


class Block(nn.Layer):
    """Two convolutions beside a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2D(inside, outside, 3, stride=stride, padding=1, bias_attr=False)
        self.bn1 = nn.BatchNorm2D(outside)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2D(
            outside, outside, 3, padding=dilation, dilation=dilation, groups=4, bias_attr=False
        )
        self.bn2 = nn.BatchNorm2D(outside)
        self.squeeze = Squeeze(outside)
        self.shortcut = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(
                # Paddle leaves the padding out of the mean by default.
                nn.AvgPool2D(3, stride, 1, exclusive=False),
                nn.Conv2D(inside, outside, 1, bias_attr=False),
                nn.BatchNorm2D(outside),
            )
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H/stride, W/stride)."""
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.squeeze(self.bn2(self.conv2(out)))
        return self.relu2(out + self.shortcut(x))


class Residual(nn.Layer):
    """Stem, three blocks, and a classifier on the mean and the largest value of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2D(3, 16, 7, stride=2, padding=3, bias_attr=False), nn.BatchNorm2D(16), nn.ReLU()
        )
        self.pool = nn.MaxPool2D(3, stride=2, padding=1)
        self.layer1 = Block(16, 16)
        self.layer2 = Block(16, 32, stride=2)
        self.layer3 = Block(32, 32, dilation=2)
        self.neck = nn.Conv2D(32, 32, 1)
        # Paddle's momentum is the old value's share.
        self.neck_bn = nn.BatchNorm2D(32, epsilon=1e-3, momentum=0.95)
        self.dropout = nn.Dropout(0.0)
        self.fc = nn.Linear(64, 64)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to logits (N, 10)."""
        out = self.layer3(self.layer2(self.layer1(self.pool(self.stem(x)))))
        out = F.leaky_relu(self.neck_bn(self.neck(out)), 0.1)
        both = paddle.concat([out.mean((2, 3)), out.max((2, 3))], 1)
        return self.head(F.relu(self.fc(self.dropout(both))))


def build() -> Residual:
    """Build the network."""
    return Residual()


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (N, 10) on labels (N,), 255 ignored, classes weighted."""
    weights = paddle.linspace(0.5, 1.5, 10, dtype=logits.dtype)
    return F.cross_entropy(logits, labels, weight=weights, ignore_index=255)


def training(network: nn.Layer) -> tuple[Any, Any]:
    """SGD, no decay on vectors, ten times the rate for the head; polynomial decay to 0."""
    named = [(name, p) for name, p in network.named_parameters() if not p.stop_gradient]
    head = [p for name, p in named if name.startswith("head.")]
    decayed = [p for name, p in named if p.ndim > 1 and not name.startswith("head.")]
    plain = [p for name, p in named if p.ndim == 1 and not name.startswith("head.")]
    # A group's learning rate is a factor in Paddle.
    groups = [
        {"params": decayed, "weight_decay": 5e-2},
        {"params": plain, "weight_decay": 0.0},
        {"params": head, "learning_rate": 10.0, "weight_decay": 5e-2},
    ]
    schedule = paddle.optimizer.lr.PolynomialDecay(0.01, 8, end_lr=0.0, power=0.9)
    return paddle.optimizer.Momentum(schedule, 0.9, parameters=groups), schedule


def update(_: nn.Layer, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    optimizer.step()
    schedule.step()
    optimizer.clear_grad()
