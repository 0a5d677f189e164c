"""The stranger: an hourglass of layers that the other networks do not have; no rule knew it.

`hourglass_paddle.py` is its port. Shapes are (N, C, H, W).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Separable(nn.Module):
    """A depthwise convolution on a reflected border, a pointwise one, a norm, a slope."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.depth = nn.Conv2d(
            inside, inside, 5, padding=2, groups=inside, padding_mode="reflect", bias=False
        )
        self.point = nn.Conv2d(inside, outside, 1)
        self.norm = nn.GroupNorm(4, outside, eps=1e-4)
        self.slope = nn.PReLU(outside)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H, W)."""
        return self.slope(self.norm(self.point(self.depth(x))))


class Mixer(nn.Module):
    """Mixes the places of a map, then its channels."""

    def __init__(self, places: int, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.over_places = nn.Linear(places, places)
        self.norm2 = nn.LayerNorm(channels)
        self.over_channels = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        rows = x.flatten(2).transpose(1, 2)  # (N, H·W, C)
        rows = rows + self.over_places(self.norm1(rows).transpose(1, 2)).transpose(1, 2)
        rows = rows + F.gelu(self.over_channels(self.norm2(rows)))
        return rows.transpose(1, 2).reshape(x.shape)


class Pyramid(nn.Module):
    """The map at three sizes side by side, each channel weighted over the places."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(channels, channels, 3, padding="same", dilation=2)
        self.norm = nn.InstanceNorm2d(channels, affine=True)
        self.score = nn.Conv2d(channels, 1, 1)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, 3·C, H, W)."""
        size = x.shape[2:]
        wide = self.norm(self.wide(x))
        focus = F.softmax(self.score(wide).flatten(1), dim=1).reshape(x.shape[0], 1, *size)
        coarse = F.interpolate(self.pool(x), size=size, mode="bilinear", align_corners=False)
        far = F.interpolate(F.avg_pool2d(x, 2), size=size, mode="nearest")
        return torch.cat([wide * focus, coarse, far], dim=1)


class Hourglass(nn.Module):
    """Down to a quarter, mixed, and up again in two ways."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1))
        self.enter = Separable(3, 8)
        self.down1 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.middle1 = Separable(16, 16)
        self.down2 = nn.AvgPool2d(3, stride=2, padding=1)
        self.mixer = Mixer(24, 16)
        self.pyramid = Pyramid(16)
        self.up2 = nn.ConvTranspose2d(48, 16, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.up1 = nn.Sequential(nn.Conv2d(32, 32, 1), nn.PixelShuffle(2))
        self.leave = Separable(16, 16)
        self.head = nn.Conv2d(16, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, 3, 16, 24), values between 0 and 1, to logits (N, 4, 16, 24)."""
        outer = self.enter((image - self.mean) / self.deviation)
        inner = self.middle1(self.down1(outer))
        deep = self.pyramid(self.mixer(self.down2(inner)))
        inner = self.up1(torch.cat([self.up2(deep), inner], dim=1))
        out = self.leave(torch.cat([inner, F.silu(outer)], dim=1))
        return self.head(F.pad(out, (1, 0, 0, 1))[:, :, 1:, :-1])


def build() -> Hourglass:
    """Build the network."""
    return Hourglass()


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (N, 4, H, W) on labels (N, H, W), 255 ignored; and smoothness."""
    entropy = F.cross_entropy(logits, labels, ignore_index=255)
    rough = F.smooth_l1_loss(logits[:, :, :, 1:], logits[:, :, :, :-1], beta=0.5)
    return entropy + 0.1 * rough


def training(network: nn.Module) -> tuple[Any, Any]:
    """SGD with Nesterov's momentum, all decayed, the mixer left alone; exponential decay."""
    trained = [p for name, p in network.named_parameters() if not name.startswith("mixer.")]
    optimizer = torch.optim.SGD(trained, lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-2)
    return optimizer, torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.8)


def update(_: nn.Module, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
