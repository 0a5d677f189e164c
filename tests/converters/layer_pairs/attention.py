"""Attention and the layers of a Transformer."""

from __future__ import annotations

from typing import Any

from paddle import nn as pn
from paddle.compat import nn as compat
from torch import nn as tn

from converters.user_rules import UserRules
from layer_pairs.registry import N, Pair, Random, coin, kind, normal


def attention(random: Random, square: bool, *, dims: tuple[int, int] | None, bias: bool) -> Pair:
    heads = int(random.integers(1, 4))
    width = heads * int(random.integers(2, 4))
    kdim, vdim = (width, width) if dims is None else (width + dims[0], width + dims[1])
    sides = [normal(random, N, n, size) for n, size in ((3, width), (4, kdim), (4, vdim))]
    return Pair(
        tn.MultiheadAttention(width, heads, bias=bias, kdim=kdim, vdim=vdim, batch_first=True),
        pn.MultiHeadAttention(
            width, heads, kdim=kdim, vdim=vdim, bias_attr=None if bias else False
        ),
        tuple(sides),
        run_torch=lambda module, *inputs: module(*inputs)[0],
    )


for bias in (True, False):
    name = "attention" if bias else "attention_without_bias"
    kind(name, dims=None, bias=bias)(attention)
    kind(f"{name}_kdim", dims=(1, 0), bias=bias)(attention)
    kind(f"{name}_vdim", dims=(0, 1), bias=bias)(attention)
    kind(f"{name}_kdim_vdim", dims=(1, 2), bias=bias)(attention)


@kind("compat_attention")
@kind("compat_attention_kdim_vdim", dims=(1, 2))
@kind("compat_attention_bias_k", extra=True)
def compat_attention(
    random: Random, square: bool, *, dims: tuple[int, int] = (0, 0), extra: bool = False
) -> Pair:
    heads = int(random.integers(1, 4))
    width = heads * int(random.integers(2, 4))
    kdim, vdim = width + dims[0], width + dims[1]
    sides = [normal(random, N, n, size) for n, size in ((3, width), (4, kdim), (4, vdim))]
    options: dict[str, Any] = {"kdim": kdim, "vdim": vdim, "batch_first": True}
    options["add_bias_kv"] = extra
    return Pair(
        tn.MultiheadAttention(width, heads, **options),
        compat.MultiheadAttention(width, heads, dtype="float64", **options),
        tuple(sides),
        run_torch=lambda module, *inputs: module(*inputs)[0],
        run_paddle=lambda layer, *inputs: layer(*inputs)[0],
        rules=UserRules.of(kinds={"": "compat_attention", "out_proj": "compat_linear"}),
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
