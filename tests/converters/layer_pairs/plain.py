"""Convolutions, linear maps, embeddings, and parameters of one's own."""

from __future__ import annotations

from typing import Any

import paddle
import torch
from paddle import nn as pn
from torch import nn as tn

from converters.user_rules import UserRules
from layer_pairs.registry import N, Pair, Random, coin, kind, normal, sizes, space


def convolution(random: Random, square: bool, rank: int, *, transposed: bool = False) -> Pair:
    groups = int(random.integers(1, 3))
    inner, outer = (groups * n for n in sizes(random, 2, square=square, high=4))
    bias = coin(random)
    options: dict[str, Any] = {
        "stride": int(random.integers(1, 3)),
        "padding": int(random.integers(0, 2)),
        "groups": groups,
    }
    if transposed:
        options["output_padding"] = int(random.integers(options["stride"]))
    else:
        options["dilation"] = int(random.integers(1, 3))
    kernel = 3 if square else [int(n) for n in random.integers(1, 4, rank)]
    ours = getattr(tn, f"ConvTranspose{rank}d" if transposed else f"Conv{rank}d")
    theirs = getattr(pn, f"Conv{rank}DTranspose" if transposed else f"Conv{rank}D")
    return Pair(
        ours(inner, outer, kernel, bias=bias, **options),
        theirs(inner, outer, kernel, bias_attr=None if bias else False, **options),
        (normal(random, N, inner, *space(random, rank)),),
    )


for rank in (1, 2, 3):
    kind(f"conv{rank}d", rank=rank)(convolution)
    kind(f"conv_transpose{rank}d", rank=rank, transposed=True)(convolution)


@kind("linear")
def linear(random: Random, square: bool) -> Pair:
    inner, outer = sizes(random, 2, square=square)
    bias = coin(random)
    return Pair(
        tn.Linear(inner, outer, bias=bias),
        pn.Linear(inner, outer, bias_attr=None if bias else False),
        (normal(random, N, 3, inner),),
    )


@kind("compat_linear")
def compat_linear(random: Random, square: bool) -> Pair:
    inner, outer = sizes(random, 2, square=square)
    return Pair(
        tn.Linear(inner, outer),
        paddle.compat.nn.Linear(inner, outer),
        (normal(random, N, inner),),
        rules=UserRules.of(kinds={"": "compat_linear"}),
    )


@kind("bilinear")
def bilinear(random: Random, square: bool) -> Pair:
    one, two, outer = sizes(random, 3, square=square)
    bias = coin(random)
    return Pair(
        tn.Bilinear(one, two, outer, bias=bias),
        pn.Bilinear(one, two, outer, bias_attr=None if bias else False),
        (normal(random, N, one), normal(random, N, two)),
    )


@kind("embedding")
def embedding(random: Random, square: bool) -> Pair:
    count, width = sizes(random, 2, square=square)
    return Pair(
        tn.Embedding(count, width),
        pn.Embedding(count, width),
        (random.integers(0, count, (N, 9)),),
    )


@kind("embedding_bag")
def embedding_bag(random: Random, square: bool) -> Pair:
    count, width = sizes(random, 2, square=square)
    return Pair(
        tn.EmbeddingBag(count, width, mode="mean"),
        pn.Embedding(count, width),
        (random.integers(0, count, (N, 9)),),
        run_paddle=lambda layer, rows: layer(rows).mean(1),
    )


@kind("prelu")
def prelu(random: Random, square: bool) -> Pair:
    channels = int(random.integers(2, 6))
    count = channels if square or coin(random) else 1
    return Pair(tn.PReLU(count), pn.PReLU(count), (normal(random, N, channels, 4),))


class TorchHolder(tn.Module):
    def __init__(self, shapes: list[list[int]], named: bool) -> None:
        super().__init__()
        tensors = [tn.Parameter(torch.zeros(shape)) for shape in shapes]
        names = [f"p{index}" for index in range(len(shapes))]
        self.held = (
            tn.ParameterDict(dict(zip(names, tensors, strict=True)))
            if named
            else tn.ParameterList(tensors)
        )
        self.names = names if named else list(range(len(shapes)))

    def forward(self, x: Any) -> Any:
        return sum((self.held[name] * x.mean()).sum() for name in self.names)


class PaddleHolder(pn.Layer):
    def __init__(self, shapes: list[list[int]], named: bool) -> None:
        super().__init__()
        tensors = [self.create_parameter(shape) for shape in shapes]
        names = [f"p{index}" for index in range(len(shapes))]
        self.held = (
            pn.ParameterDict(dict(zip(names, tensors, strict=True)))
            if named
            else pn.ParameterList(tensors)
        )
        self.names = names if named else list(range(len(shapes)))

    forward = TorchHolder.forward


@kind("parameter_list", named=False)
@kind("parameter_dict", named=True)
def parameters(random: Random, square: bool, named: bool) -> Pair:
    shapes = [sizes(random, int(random.integers(1, 4)), square=square) for _ in range(3)]
    return Pair(TorchHolder(shapes, named), PaddleHolder(shapes, named), (normal(random, N, 2),))
