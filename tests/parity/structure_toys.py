"""Networks of named children in some order, and what a check assumes about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
import torch

from parity import check_parity

if TYPE_CHECKING:
    pass


X = np.random.default_rng(3).standard_normal((3, 4)).astype(np.float32)


class Torch(torch.nn.Module):
    """Children by name, called in the order of `calls`."""

    def __init__(self, calls: str = "", **children: Any) -> None:
        super().__init__()
        self.calls = calls.split()
        for name, child in children.items():
            self.add_module(name, child)

    def forward(self, x: Any) -> Any:
        for name in self.calls:
            x = self.get_submodule(name)(x)
        return x


class Paddle(paddle.nn.Layer):
    def __init__(self, calls: str = "", **children: Any) -> None:
        super().__init__()
        self.calls = calls.split()
        for name, child in children.items():
            self.add_sublayer(name, child)

    def forward(self, x: Any) -> Any:
        for name in self.calls:
            layer = self
            for part in name.split("."):
                layer = getattr(layer, part)
            x = layer(x)
        return x


def tl(rows: int = 4, cols: int = 4) -> torch.nn.Module:
    return torch.nn.Linear(rows, cols)


def pl(rows: int = 4, cols: int = 4) -> paddle.nn.Layer:
    return paddle.nn.Linear(rows, cols)


def check(ours: Any, theirs: Any, *inputs: np.ndarray, **options: Any) -> Any:
    return check_parity(ours, theirs, inputs or (X,), **options)


def assumed(result: Any) -> list[tuple[str, str, str]]:
    return [(pair.torch, pair.paddle, pair.how) for pair in result.assumed]
