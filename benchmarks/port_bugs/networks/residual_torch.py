"""A residual network with squeeze-and-excitation, trained by SGD; `residual_paddle.py` is its port.

Shapes are (N, C, H, W): batch, channels, height, width.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Squeeze(nn.Module):
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


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(
            outside, outside, 3, padding=dilation, dilation=dilation, groups=4, bias=False
        )
        self.bn2 = nn.BatchNorm2d(outside)
        self.squeeze = Squeeze(outside)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(3, stride, 1),
                nn.Conv2d(inside, outside, 1, bias=False),
                nn.BatchNorm2d(outside),
            )
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H/stride, W/stride)."""
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.squeeze(self.bn2(self.conv2(out)))
        return self.relu2(out + self.shortcut(x))


class Residual(nn.Module):
    """Stem, three blocks, and a classifier on the mean and the largest value of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = Block(16, 16)
        self.layer2 = Block(16, 32, stride=2)
        self.layer3 = Block(32, 32, dilation=2)
        self.neck = nn.Conv2d(32, 32, 1)
        self.neck_bn = nn.BatchNorm2d(32, eps=1e-3, momentum=0.05)
        self.dropout = nn.Dropout(0.0)
        self.fc = nn.Linear(64, 64)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to logits (N, 10)."""
        out = self.layer3(self.layer2(self.layer1(self.pool(self.stem(x)))))
        out = F.leaky_relu(self.neck_bn(self.neck(out)), 0.1)
        both = torch.cat([out.mean((2, 3)), out.amax((2, 3))], 1)
        return self.head(F.relu(self.fc(self.dropout(both))))


def build() -> Residual:
    """Build the network."""
    return Residual()


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (N, 10) on labels (N,), 255 ignored, classes weighted."""
    weights = torch.linspace(0.5, 1.5, 10, dtype=logits.dtype)
    return F.cross_entropy(logits, labels, weight=weights, ignore_index=255)


def training(network: nn.Module) -> tuple[Any, Any]:
    """SGD, no decay on vectors, ten times the rate for the head; polynomial decay to 0."""
    named = list(network.named_parameters())
    head = [p for name, p in named if name.startswith("head.")]
    decayed = [p for name, p in named if p.ndim > 1 and not name.startswith("head.")]
    plain = [p for name, p in named if p.ndim == 1 and not name.startswith("head.")]
    groups = [
        {"params": decayed, "weight_decay": 5e-2},
        {"params": plain, "weight_decay": 0.0},
        {"params": head, "lr": 0.1, "weight_decay": 5e-2},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
    return optimizer, torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=8, power=0.9)


def update(_: nn.Module, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
