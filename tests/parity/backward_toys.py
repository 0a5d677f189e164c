"""A pair of networks whose forward passes agree, and ways to break one side's backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import torch

from parity import check_parity
from parity.inputs import seed_weights


class Cell(torch.nn.Module):
    """Two branches, a residual sum, a shared layer called twice, and a layer never used."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 6, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(6)
        self.act = torch.nn.ReLU()
        self.left = torch.nn.Conv2d(6, 6, 1)
        self.right = torch.nn.Conv2d(6, 6, 3, padding=1, groups=3)
        self.round = torch.nn.Identity()
        self.unused = torch.nn.Linear(4, 4)
        self.mix = torch.nn.Linear(6, 6)
        self.scale = torch.nn.Parameter(torch.ones(6))

    def forward(self, x: Any) -> Any:
        x = self.act(self.norm(self.stem(x)))
        both = self.left(x) + self.right(x)
        pooled = self.round(both).mean((2, 3)) * self.scale
        return self.mix(torch.tanh(self.mix(pooled)))


class PaddleCell(paddle.nn.Layer):
    epsilon = 1e-5

    def __init__(self) -> None:
        super().__init__()
        self.stem = paddle.nn.Conv2D(3, 6, 3, padding=1)
        self.norm = paddle.nn.BatchNorm2D(6, epsilon=self.epsilon)
        self.act = paddle.nn.ReLU()
        self.left = paddle.nn.Conv2D(6, 6, 1)
        self.right = paddle.nn.Conv2D(6, 6, 3, padding=1, groups=3)
        self.round = paddle.nn.Identity()
        self.unused = paddle.nn.Linear(4, 4)
        self.mix = paddle.nn.Linear(6, 6)
        self.scale = self.create_parameter([6])

    def branches(self, x: Any) -> Any:
        return self.left(x) + self.right(x)

    def forward(self, x: Any) -> Any:
        x = self.act(self.norm(self.stem(x)))
        pooled = self.round(self.branches(x)).mean((2, 3)) * self.scale
        return self.mix(paddle.tanh(self.mix(pooled)))


class WrongEpsilon(PaddleCell):
    epsilon = 1.1e-5


class DetachedBranch(PaddleCell):
    def branches(self, x: Any) -> Any:
        return self.left(x) + self.right(x.detach())


class Scaled(paddle.autograd.PyLayer):
    """Returns its input, and a multiple of its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Any, factor: float) -> Any:
        ctx.factor = factor
        return x * 1

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        return upstream * ctx.factor


class MissingFactor(PaddleCell):
    """The sum's gradient is half a per mille too small."""

    def branches(self, x: Any) -> Any:
        return Scaled.apply(super().branches(x), 0.9995)


class HalfGradient(paddle.nn.Identity):
    def forward(self, x: Any) -> Any:
        return Scaled.apply(x, 0.5)


class WrongLayer(PaddleCell):
    """A layer that returns the right thing and passes half the gradient on."""

    def __init__(self) -> None:
        super().__init__()
        self.round = HalfGradient()


class FrozenLayer(PaddleCell):
    def __init__(self) -> None:
        super().__init__()
        self.left.weight.stop_gradient = True


class Rounding(torch.nn.Module):
    """Rounds; the gradient goes straight through."""

    def forward(self, x: Any) -> Any:
        return x + (torch.round(x * 4) / 4 - x).detach()


class RoundingCell(Cell):
    def __init__(self) -> None:
        super().__init__()
        self.round = Rounding()


class PlainRound(paddle.nn.Layer):
    def forward(self, x: Any) -> Any:
        return paddle.round(x * 4) / 4


class NotStraightThrough(PaddleCell):
    def __init__(self) -> None:
        super().__init__()
        self.round = PlainRound()


def torch_cell(kind: type[Cell] = Cell, seed: int = 2) -> Cell:
    cell = kind()
    seed_weights(cell, seed)
    return cell


def images(batch: int = 2, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((batch, 3, 7, 8)).astype(np.float32)


def checked(ours: Any, theirs: Any, inputs: Any = None, **options: Any) -> Any:
    """Check the backward pass."""
    given = images() if inputs is None else inputs
    return check_parity(ours, theirs, given, checks=("backward",), **options)


def backward(result: Any) -> dict[tuple[str, int], Any]:
    """Give the gradients by what calls returned."""
    return {(x.name, x.call): x for x in result.layers if x.phase == "backward"}


def gradients(result: Any) -> dict[str, Any]:
    """Give the gradients of inputs and parameters."""
    return {tensor.name: tensor for tensor in result.gradients}
