"""A pair of networks with a place for every kind of fault, planted by name on the paddle side."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import torch

from parity.inputs import seed_weights


class TorchFork(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left = torch.nn.Conv2d(4, 4, 1)
        self.right = torch.nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Any) -> Any:
        return torch.cat([self.left(x), self.right(x)], 1)


class TorchNet(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3, padding=1),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(inplace=True),
        )
        self.fork = TorchFork()
        self.pool = torch.nn.AvgPool2d(3, 2, 1)
        self.mix = torch.nn.Conv2d(8, 4, 1)
        self.act = torch.nn.LeakyReLU(0.1)
        self.tail = torch.nn.Conv2d(4, 4, 3, padding=1)
        self.out = torch.nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        stem = self.stem(x)
        mixed = self.act(self.mix(self.pool(self.fork(stem))))
        large = torch.nn.functional.interpolate(mixed, size=stem.shape[2:], mode="nearest")
        tail = self.act(self.tail(large + stem))
        pooled = torch.nn.functional.relu(tail.mean((2, 3)) - 0.3)
        return {"map": tail, "score": self.out(pooled)}


class Fork(paddle.nn.Layer):
    def __init__(self, faults: set[str]) -> None:
        super().__init__()
        self.faults = faults
        self.left = paddle.nn.Conv2D(4, 4, 1)
        self.right = paddle.nn.Conv2D(4, 4, 3, padding=1)

    def forward(self, x: Any) -> Any:
        parts = [self.left(x), self.right(x)]
        return paddle.concat(parts[::-1] if "concat" in self.faults else parts, 1)


class Act(paddle.nn.Layer):
    """A LeakyReLU whose second call may have another slope."""

    def __init__(self, faults: set[str]) -> None:
        super().__init__()
        self.faults = faults
        self.calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        if "dropped activation" in self.faults and self.calls == 1:
            return x
        slope = 0.2 if "second call" in self.faults and self.calls == 2 else 0.1
        return paddle.nn.functional.leaky_relu(x, slope)


class Net(paddle.nn.Layer):
    def __init__(self, *faults: str) -> None:
        super().__init__()
        self.faults = set(faults)
        epsilon = 1.1e-5 if "epsilon" in faults else 1e-5
        self.stem = paddle.nn.Sequential(
            paddle.nn.Conv2D(3, 4, 3, padding=1),
            paddle.nn.BatchNorm2D(4, epsilon=epsilon),
            paddle.nn.ReLU(),
        )
        self.fork = Fork(self.faults)
        self.pool = paddle.nn.AvgPool2D(3, 2, 1, exclusive="pool" in faults)
        self.mix = paddle.nn.Conv2D(8, 4, 1)
        self.act = Act(self.faults)
        self.tail = paddle.nn.Conv2D(4, 4, 3, padding=1)
        self.out = paddle.nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        stem = self.stem(x)
        mixed = self.act(self.mix(self.pool(self.fork(stem))))
        mode = "bilinear" if "resize" in self.faults else "nearest"
        large = paddle.nn.functional.interpolate(mixed, size=stem.shape[2:], mode=mode)
        added = large - stem if "add" in self.faults else large + stem
        if "wiring" in self.faults:
            added = stem
        tail = self.act(self.tail(added))
        pooled = tail.mean((2, 3)) - 0.3
        if "dropped relu" not in self.faults:
            pooled = paddle.nn.functional.relu(pooled)
        score = self.out(pooled)
        return {"map": tail, "score": score * 1.5 if "after the last" in self.faults else score}


def pair(*faults: str) -> tuple[TorchNet, Net]:
    ours = TorchNet()
    seed_weights(ours, 5)
    return ours, Net(*faults)


def images() -> np.ndarray:
    return np.random.default_rng(7).standard_normal((2, 3, 8, 12)).astype(np.float32)
