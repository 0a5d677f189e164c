"""Small pairs of networks: the same classes in both frameworks, and ways to break one side."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import torch

from parity.inputs import seed_weights
from stdc_port import paddle_nets, torch_nets


class TorchBlock(torch.nn.Module):
    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn = torch.nn.BatchNorm2d(4)
        self.relu = torch.nn.ReLU(inplace=inplace)
        self.side = torch.nn.Conv2d(4, 4, 1)
        self.skip = torch.nn.AvgPool2d(3, 2, 1)
        self.head = torch.nn.Linear(8, 8, bias=False)

    def forward(self, x: Any) -> Any:
        out = self.relu(self.bn(self.conv(x)))
        both = torch.cat([self.skip(out), self.skip(self.side(out))], 1)
        return self.head(both.mean((2, 3)))


class PaddleBlock(paddle.nn.Layer):
    swapped = False

    def __init__(self, exclusive: bool = False, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 4, 3, padding=1, bias_attr=False)
        self.bn = paddle.nn.BatchNorm2D(4, epsilon=epsilon)
        self.relu = paddle.nn.ReLU()
        self.side = paddle.nn.Conv2D(4, 4, 1)
        self.skip = paddle.nn.AvgPool2D(3, 2, 1, exclusive=exclusive)
        self.head = paddle.nn.Linear(8, 8, bias_attr=False)

    def forward(self, x: Any) -> Any:
        out = self.relu(self.bn(self.conv(x)))
        parts = [self.skip(out), self.skip(self.side(out))]
        both = paddle.concat(parts[::-1] if self.swapped else parts, 1)
        return self.head(both.mean((2, 3)))


class SwappedBlock(PaddleBlock):
    swapped = True


class Model(torch.nn.Module):
    """A block inside a network, so that a fault in the block's forward has a path."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.block = TorchBlock(inplace)
        self.out = torch.nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.block(x))


class PaddleModel(paddle.nn.Layer):
    def __init__(self, block: paddle.nn.Layer | None = None) -> None:
        super().__init__()
        self.block = block or PaddleBlock()
        self.out = paddle.nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.block(x))


def torch_model(seed: int = 1) -> Model:
    model = Model()
    seed_weights(model, seed)
    return model


def paddle_model() -> PaddleModel:
    return PaddleModel()


def paddle_wrong_pool() -> PaddleModel:
    return PaddleModel(PaddleBlock(exclusive=True))


def paddle_wrong_epsilon() -> PaddleModel:
    return PaddleModel(PaddleBlock(epsilon=1.1e-5))


def paddle_swapped() -> PaddleModel:
    return PaddleModel(SwappedBlock())


class OtherNames(paddle.nn.Layer):
    """`PaddleModel` with other names, registered in another order, its ReLU a function."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = paddle.nn.Linear(8, 3)
        self.fc = paddle.nn.Linear(8, 8, bias_attr=False)
        self.pool = paddle.nn.AvgPool2D(3, 2, 1, exclusive=False)
        self.norm = paddle.nn.BatchNorm2D(4)
        self.second = paddle.nn.Conv2D(4, 4, 1)
        self.first = paddle.nn.Conv2D(3, 4, 3, padding=1, bias_attr=False)

    def forward(self, x: Any) -> Any:
        out = paddle.nn.functional.relu(self.norm(self.first(x)))
        both = paddle.concat([self.pool(out), self.pool(self.second(out))], 1)
        return self.classifier(self.fc(both.mean((2, 3))))


def torch_stdc1() -> torch.nn.Module:
    return torch_nets.build("stdc1", num_classes=10)


def paddle_stdc1() -> paddle.nn.Layer:
    return paddle_nets.build("stdc1", num_classes=10)


def paddle_stdc1_of_paddleseg() -> paddle.nn.Layer:
    return paddle_nets.build("stdc1", num_classes=10, variant="paddleseg")


def raises() -> None:
    raise RuntimeError("no luck")


def images(scale: float = 1.0, seed: int = 3) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((2, 3, 9, 7)) * scale).astype(np.float32)


class Plain(torch.nn.Module):
    """One function, without weights."""

    def __init__(self, act: Any) -> None:
        super().__init__()
        self.act = act

    def forward(self, x: Any) -> Any:
        return self.act(x)


class PaddlePlain(paddle.nn.Layer):
    def __init__(self, act: Any) -> None:
        super().__init__()
        self.act = act

    def forward(self, x: Any) -> Any:
        return self.act(x)


def first(result: Any) -> Any:
    """Give the first divergence of a result that fails."""
    assert not result
    assert result.first_divergence is not None
    return result.first_divergence
