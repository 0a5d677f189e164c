"""The same layer in both frameworks, in a random configuration, one function a kind.

Each function takes a generator and whether sizes that could hide a mistake are to be equal, and
gives a torch module, a Paddle layer and inputs that both take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import paddle
import torch
from paddle import nn as pn
from torch import nn as tn

Random = np.random.Generator
N = 2


@dataclass
class Pair:
    torch: tn.Module
    paddle: pn.Layer
    inputs: tuple[np.ndarray, ...]
    run_torch: Callable[..., Any] = lambda module, *inputs: module(*inputs)
    run_paddle: Callable[..., Any] = lambda layer, *inputs: layer(*inputs)
    training: bool = False
    # Keys of tensors that Paddle trains and torch has not, as a regular expression.
    extra: str = ""


Make = Callable[..., Pair]
KINDS: dict[str, Make] = {}


def kind(name: str, /, **options: Any) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        KINDS[name] = partial(make, **options) if options else make
        return make

    return register


def sizes(random: Random, count: int, *, square: bool, low: int = 2, high: int = 7) -> list[int]:
    """Draw sizes, all different, or all equal so that no mistake shows by its shape."""
    if square:
        return [int(random.integers(low, high))] * count
    return [int(n) for n in random.permutation(np.arange(low, high + count))[:count]]


def coin(random: Random) -> bool:
    return bool(random.integers(2))


def normal(random: Random, *shape: int) -> np.ndarray:
    return random.standard_normal(shape)


def space(random: Random, rank: int, low: int = 5, high: int = 8) -> list[int]:
    return [int(n) for n in random.integers(low, high, rank)]


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


@kind("group_norm")
def group_norm(random: Random, square: bool) -> Pair:
    groups = int(random.integers(1, 4))
    channels = groups * int(random.integers(1, 4)) + (groups if square else 0)
    return Pair(
        tn.GroupNorm(groups, channels),
        pn.GroupNorm(groups, channels),
        (normal(random, N, channels, 4, 5),),
    )


@kind("layer_norm")
def layer_norm(random: Random, square: bool) -> Pair:
    shape = sizes(random, 2 if square else int(random.integers(1, 4)), square=square)
    bias = square or coin(random)
    return Pair(
        tn.LayerNorm(shape, bias=bias),
        pn.LayerNorm(shape, bias_attr=None if bias else False),
        (normal(random, N, 3, *shape),),
    )


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


@kind("attention")
def attention(random: Random, square: bool) -> Pair:
    heads = int(random.integers(1, 4))
    width = heads * int(random.integers(2, 4))
    kdim = width if square or coin(random) else width + 1
    vdim = width if square or coin(random) else width + 2
    bias = square or coin(random)
    sides = [normal(random, N, n, size) for n, size in ((3, width), (4, kdim), (4, vdim))]
    return Pair(
        tn.MultiheadAttention(width, heads, bias=bias, kdim=kdim, vdim=vdim, batch_first=True),
        pn.MultiHeadAttention(
            width, heads, kdim=kdim, vdim=vdim, bias_attr=None if bias else False
        ),
        tuple(sides),
        run_torch=lambda module, *inputs: module(*inputs)[0],
    )


def transformer_options(random: Random) -> tuple[int, int, int, bool]:
    heads = int(random.integers(1, 3))
    width = heads * int(random.integers(2, 4)) * 2
    return width, heads, width + 3, coin(random)


def torch_part(part: str, random_options: tuple[int, int, int, bool]) -> tn.Module:
    width, heads, inner, first = random_options
    make = getattr(tn, f"Transformer{part}Layer")
    return make(width, heads, inner, 0.0, "relu", batch_first=True, norm_first=first)


def paddle_part(part: str, random_options: tuple[int, int, int, bool]) -> pn.Layer:
    width, heads, inner, first = random_options
    make = getattr(pn, f"Transformer{part}Layer")
    return make(width, heads, inner, 0.0, "relu", normalize_before=first)


@kind("transformer_encoder_layer", part="Encoder")
@kind("transformer_decoder_layer", part="Decoder")
def transformer_layer(random: Random, square: bool, part: str) -> Pair:
    options = transformer_options(random)
    inputs = [normal(random, N, n, options[0]) for n in (3, 4)]
    return Pair(
        torch_part(part, options),
        paddle_part(part, options),
        tuple(inputs[: 1 if part == "Encoder" else 2]),
    )


@kind("transformer_encoder", part="Encoder")
@kind("transformer_decoder", part="Decoder")
def transformer_stack(random: Random, square: bool, part: str) -> Pair:
    options = transformer_options(random)
    inputs = [normal(random, N, n, options[0]) for n in (3, 4)]
    return Pair(
        getattr(tn, f"Transformer{part}")(
            torch_part(part, options), 2, norm=tn.LayerNorm(options[0])
        ),
        getattr(pn, f"Transformer{part}")(
            paddle_part(part, options), 2, norm=pn.LayerNorm(options[0])
        ),
        tuple(inputs[: 1 if part == "Encoder" else 2]),
    )


@kind("transformer")
def transformer(random: Random, square: bool) -> Pair:
    width, heads, inner, _ = transformer_options(random)
    return Pair(
        tn.Transformer(width, heads, 1, 2, inner, 0.0, batch_first=True),
        pn.Transformer(width, heads, 1, 2, inner, 0.0),
        tuple(normal(random, N, n, width) for n in (3, 4)),
    )


def flat(outputs: Any) -> list[Any]:
    if isinstance(outputs, (tuple, list)):
        return [one for part in outputs for one in flat(part)]
    return [outputs]


@kind("rnn", name="RNN")
@kind("lstm", name="LSTM")
@kind("gru", name="GRU")
@kind("lstm_projected", name="LSTM", projected=True)
def recurrent(random: Random, square: bool, name: str, projected: bool = False) -> Pair:
    inner, hidden = sizes(random, 2, square=square, low=3)
    layers = int(random.integers(1, 4))
    both = coin(random)
    bias = square or coin(random)
    options: dict[str, Any] = {}
    if projected:
        options["proj_size"] = int(random.integers(1, hidden))
    make = getattr(pn, "SimpleRNN" if name == "RNN" else name)
    theirs = make(inner, hidden, layers, "bidirect" if both else "forward", **options)
    return Pair(
        getattr(tn, name)(
            inner, hidden, layers, bidirectional=both, bias=bias, batch_first=True, **options
        ),
        theirs,
        (normal(random, N, 4, inner),),
        # Paddle's recurrent kernel keeps what the backward pass needs in training alone.
        training=True,
        # Paddle 3.3 fails to build most of these without biases.
        extra="" if bias else r"bias|_l\d",
    )


@kind("rnn_cell", name="RNNCell")
@kind("lstm_cell", name="LSTMCell")
@kind("gru_cell", name="GRUCell")
def recurrent_cell(random: Random, square: bool, name: str) -> Pair:
    inner, hidden = sizes(random, 2, square=square)
    bias = square or coin(random)
    attr = None if bias else False
    theirs = getattr(pn, "SimpleRNNCell" if name == "RNNCell" else name)
    # Beside the input the state, without which the recurrent weights would have no effect.
    count = 3 if name == "LSTMCell" else 2
    inputs = [normal(random, N, size) for size in (inner, hidden, hidden)[:count]]

    def run(cell: Any, x: Any, *state: Any) -> Any:
        return cell(x, state if len(state) > 1 else state[0])

    return Pair(
        getattr(tn, name)(inner, hidden, bias=bias),
        theirs(inner, hidden, bias_ih_attr=attr, bias_hh_attr=attr),
        tuple(inputs),
        run_torch=run,
        # Paddle's cells give the output beside the state that holds it.
        run_paddle=lambda cell, *given: flat(run(cell, *given))[1:],
    )


def held(base: str, random: Random, square: bool) -> Pair:
    if base == "linear":
        return linear(random, square)
    return convolution(random, square, 2, transposed=base == "conv_transpose")


@kind("weight_norm_linear", base="linear")
@kind("weight_norm_conv", base="conv")
@kind("weight_norm_conv_transpose", base="conv_transpose")
@kind("weight_norm_parametrized_linear", base="linear", old=False)
@kind("weight_norm_parametrized_conv", base="conv", old=False)
def weight_norm(random: Random, square: bool, base: str, old: bool = True) -> Pair:
    pair = held(base, random, square)
    axes = pair.torch.weight.ndim
    dim = None if coin(random) and not square else int(random.integers(axes))
    make = tn.utils.weight_norm if old else tn.utils.parametrizations.weight_norm
    theirs = axes - 1 - dim if base == "linear" and dim is not None else dim
    make(pair.torch, dim=dim)
    pn.utils.weight_norm(pair.paddle, dim=theirs)
    return pair


@kind("spectral_norm_linear", base="linear")
@kind("spectral_norm_conv", base="conv")
@kind("spectral_norm_conv_transpose", base="conv_transpose")
@kind("spectral_norm_parametrized_linear", base="linear", old=False)
@kind("spectral_norm_parametrized_conv", base="conv", old=False)
def spectral_norm(random: Random, square: bool, base: str, old: bool = True) -> Pair:
    pair = held(base, random, square)
    make = tn.utils.spectral_norm if old else tn.utils.parametrizations.spectral_norm
    make(pair.torch)
    pn.utils.spectral_norm(pair.paddle)
    return pair


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
