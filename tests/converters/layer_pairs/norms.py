"""Norms."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn as pn
from torch import nn as tn

from layer_pairs.registry import N, Pair, Random, coin, kind, normal, sizes, space


def batch_norm(random: Random, square: bool, rank: int) -> Pair:
    channels = int(random.integers(2, 6))
    affine = square or coin(random)
    attr = None if affine else False
    epsilon = float(random.choice([1e-5, 1e-3, 1e-2]))
    return Pair(
        getattr(tn, f"BatchNorm{rank}d")(channels, eps=epsilon, affine=affine),
        getattr(pn, f"BatchNorm{rank}D")(
            channels, epsilon=epsilon, weight_attr=attr, bias_attr=attr
        ),
        (normal(random, N, channels, *space(random, rank)),),
    )


def instance_norm(random: Random, square: bool, rank: int) -> Pair:
    channels = int(random.integers(2, 6))
    affine = square or coin(random)
    attr = None if affine else False
    return Pair(
        getattr(tn, f"InstanceNorm{rank}d")(channels, affine=affine),
        getattr(pn, f"InstanceNorm{rank}D")(channels, weight_attr=attr, bias_attr=attr),
        (normal(random, N, channels, *space(random, rank)),),
    )


for rank in (1, 2, 3):
    kind(f"batch_norm{rank}d", rank=rank)(batch_norm)
    kind(f"instance_norm{rank}d", rank=rank)(instance_norm)


@kind("sync_batch_norm")
def sync_batch_norm(random: Random, square: bool) -> Pair:
    channels = int(random.integers(2, 6))
    plain = tn.BatchNorm2d(channels), pn.BatchNorm2D(channels)
    inputs = (normal(random, N, channels, *space(random, 2)),)
    # Neither framework has a kernel of it on the CPU; its tensors are those of a plain one.
    return Pair(
        tn.SyncBatchNorm(channels), pn.SyncBatchNorm(channels), inputs, runs=Pair(*plain, inputs)
    )


@kind("group_norm")
def group_norm(random: Random, square: bool) -> Pair:
    groups = int(random.integers(1, 4))
    channels = groups * int(random.integers(1, 4)) + (groups if square else 0)
    return Pair(
        tn.GroupNorm(groups, channels),
        pn.GroupNorm(groups, channels),
        (normal(random, N, channels, 4, 5),),
    )


def layer_norm(random: Random, square: bool, axes: int) -> Pair:
    # With two elements a gradient would be epsilon's alone, which Paddle keeps in float32.
    shape = sizes(random, axes, square=square, low=4)
    bias = square or coin(random)
    return Pair(
        tn.LayerNorm(shape, bias=bias),
        pn.LayerNorm(shape, bias_attr=None if bias else False),
        (normal(random, N, 3, *shape),),
    )


for axes in (1, 2, 3):
    kind(f"layer_norm_{axes}_axes", axes=axes)(layer_norm)


class RMSNorm(pn.Layer):
    """What people write, as Paddle has no such layer."""

    def __init__(self, shape: list[int], epsilon: float) -> None:
        super().__init__()
        self.weight = self.create_parameter(shape)
        self.axes = list(range(-len(shape), 0))
        self.epsilon = epsilon

    def forward(self, x: Any) -> Any:
        mean = (x * x).mean(self.axes, keepdim=True)
        return x * paddle.rsqrt(mean + self.epsilon) * self.weight


@kind("rms_norm")
def rms_norm(random: Random, square: bool) -> Pair:
    shape = sizes(random, 2, square=square)
    return Pair(tn.RMSNorm(shape, eps=1e-6), RMSNorm(shape, 1e-6), (normal(random, N, 3, *shape),))


@kind("local_response_norm")
def local_response_norm(random: Random, square: bool) -> Pair:
    size, alpha, k = int(random.integers(2, 5)), float(random.uniform(1e-2, 1)), 1.5
    return Pair(
        tn.LocalResponseNorm(size, alpha=alpha, beta=0.6, k=k),
        pn.LocalResponseNorm(size, alpha=alpha, beta=0.6, k=k),
        (normal(random, N, 7, 4, 4),),
    )
