"""The port of `hourglass_torch.py`."""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn


class Separable(nn.Layer):
    """A depthwise convolution on a reflected border, a pointwise one, a norm, a slope."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.depth = nn.Conv2D(
            inside, inside, 5, padding=2, groups=inside, padding_mode="reflect", bias_attr=False
        )
        self.point = nn.Conv2D(inside, outside, 1)
        self.norm = nn.GroupNorm(4, outside, epsilon=1e-4)
        self.slope = nn.PReLU(outside)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H, W)."""
        return self.slope(self.norm(self.point(self.depth(x))))


class Mixer(nn.Layer):
    """Mixes the places of a map, then its channels."""

    def __init__(self, places: int, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.over_places = nn.Linear(places, places)
        self.norm2 = nn.LayerNorm(channels)
        self.over_channels = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        rows = x.flatten(2).transpose([0, 2, 1])  # (N, H·W, C)
        mixed = self.over_places(self.norm1(rows).transpose([0, 2, 1]))
        rows = rows + mixed.transpose([0, 2, 1])
        rows = rows + F.gelu(self.over_channels(self.norm2(rows)))
        return rows.transpose([0, 2, 1]).reshape(x.shape)


class Pyramid(nn.Layer):
    """The map at three sizes side by side, each channel weighted over the places."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Paddle's "SAME" ignores the dilation.
        self.wide = nn.Conv2D(channels, channels, 3, padding=2, dilation=2)
        self.norm = nn.InstanceNorm2D(channels)
        self.score = nn.Conv2D(channels, 1, 1)
        self.pool = nn.MaxPool2D(3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, 3·C, H, W)."""
        size = x.shape[2:]
        wide = self.norm(self.wide(x))
        focus = F.softmax(self.score(wide).flatten(1), axis=1).reshape([x.shape[0], 1, *size])
        coarse = F.interpolate(self.pool(x), size=size, mode="bilinear", align_corners=False)
        far = F.interpolate(F.avg_pool2d(x, 2), size=size, mode="nearest")
        return paddle.concat([wide * focus, coarse, far], axis=1)


class Hourglass(nn.Layer):
    """Down to a quarter, mixed, and up again in two ways."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        mean = paddle.to_tensor([0.485, 0.456, 0.406]).reshape([1, 3, 1, 1])
        deviation = paddle.to_tensor([0.229, 0.224, 0.225]).reshape([1, 3, 1, 1])
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.enter = Separable(3, 8)
        self.down1 = nn.Conv2D(8, 16, 3, stride=2, padding=1)
        self.middle1 = Separable(16, 16)
        self.down2 = nn.AvgPool2D(3, stride=2, padding=1, exclusive=False)
        self.mixer = Mixer(24, 16)
        self.pyramid = Pyramid(16)
        self.up2 = nn.Conv2DTranspose(48, 16, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.up1 = nn.Sequential(nn.Conv2D(32, 32, 1), nn.PixelShuffle(2))
        self.leave = Separable(16, 16)
        self.head = nn.Conv2D(16, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, 3, 16, 24), values between 0 and 1, to logits (N, 4, 16, 24)."""
        outer = self.enter((image - self.mean) / self.deviation)
        inner = self.middle1(self.down1(outer))
        deep = self.pyramid(self.mixer(self.down2(inner)))
        inner = self.up1(paddle.concat([self.up2(deep), inner], axis=1))
        out = self.leave(paddle.concat([inner, F.silu(outer)], axis=1))
        # A list of four numbers means the last two dimensions, as in torch.
        return self.head(F.pad(out, [1, 0, 0, 1])[:, :, 1:, :-1])


def build() -> Hourglass:
    """Build the network."""
    return Hourglass()


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (N, 4, H, W) on labels (N, H, W), 255 ignored; and smoothness."""
    entropy = F.cross_entropy(logits, labels, ignore_index=255, axis=1)
    # delta is Huber's: torch's smooth_l1 is divided by it.
    rough = F.smooth_l1_loss(logits[:, :, :, 1:], logits[:, :, :, :-1], delta=0.5) / 0.5
    return entropy + 0.1 * rough


def training(network: nn.Layer) -> tuple[Any, Any]:
    """SGD with Nesterov's momentum, all decayed, the mixer left alone; exponential decay."""
    trained = [p for name, p in network.named_parameters() if not name.startswith("mixer.")]
    schedule = paddle.optimizer.lr.ExponentialDecay(0.02, gamma=0.8)
    optimizer = paddle.optimizer.Momentum(
        schedule, 0.9, parameters=trained, use_nesterov=True, weight_decay=1e-2
    )
    return optimizer, schedule


def update(_: nn.Layer, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    optimizer.step()
    schedule.step()
    optimizer.clear_grad()
