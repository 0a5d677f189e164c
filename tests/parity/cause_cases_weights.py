"""Weights that were loaded wrongly, and what looks like them."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import torch
from cause_cases import Arrays, Case, drawn, seeded
from function_toys import Paddle, Torch

from stdc_port.torch_nets.segmentation import InPlaceABN

t, p = torch.nn, paddle.nn
INPUTS = (drawn(2, 4, 6, 8), np.arange(12).reshape(2, 6) % 8)


def forward(net: Any, image: Any, tokens: Any) -> Any:
    rows = net.bn(net.conv(image)).mean(1) + net.words(tokens)
    rows = net.two(net.one(rows).tanh())
    mixed = net.mix(rows, rows, rows)
    mixed = mixed[0] if isinstance(mixed, tuple) else mixed
    return net.read(mixed)[0]


def original() -> Any:
    torch.manual_seed(0)
    return Torch(
        forward,
        conv=t.Conv2d(4, 4, 3, padding=1),
        bn=t.BatchNorm2d(4),
        words=t.Embedding(8, 8),
        one=t.Linear(8, 8),
        two=t.Linear(8, 8),
        mix=t.MultiheadAttention(8, 2, batch_first=True),
        read=t.LSTM(8, 8, batch_first=True),
    )


def port() -> Any:
    return Paddle(
        forward,
        conv=p.Conv2D(4, 4, 3, padding=1),
        bn=p.BatchNorm2D(4),
        words=p.Embedding(8, 8),
        one=p.Linear(8, 8),
        two=p.Linear(8, 8),
        mix=p.MultiHeadAttention(8, 2),
        read=p.LSTM(8, 8),
    )


def in_place() -> Any:
    return Torch(lambda n, x: n.norm(x), norm=InPlaceABN(16))


def row(cause: str, symptom: str, layer: str, bug: Any, like: Any) -> Case:
    return Case(cause, symptom, original, bug, like, INPUTS, layer, port)


def moved(key: str, move: Any) -> Any:
    """Move the elements of a tensor."""
    return lambda w: {key: move(w[key])}


def swapped(one: str, other: str) -> Any:
    return lambda w: {one: w[other], other: w[one]}


def each(suffixes: tuple[str, ...], move: Any) -> Any:
    """Do the same to several tensors."""
    return lambda w: {k: move(v) for k, v in w.items() if k.endswith(suffixes)}


def gates(order: tuple[int, ...]) -> Any:
    def change(right: Arrays) -> Arrays:
        cells = {key: np.split(a, 4) for key, a in right.items() if key.startswith("read.")}
        return {key: np.concatenate([parts[i] for i in order]) for key, parts in cells.items()}

    return change


def noise(size: float) -> Any:
    return lambda w: {"two.weight": w["two.weight"] * (size < 1) + size * drawn(8, 8)}


QKV = tuple(f"mix.{part}_proj.weight" for part in "qkv")
ELSEWHERE = "values in other places"

WEIGHTS = (
    row(
        "linear-untransposed",
        ELSEWHERE,
        "one",
        moved("one.weight", np.transpose),
        moved("one.weight", lambda w: np.where(np.arange(8) < 4, w.T, w)),
    ),
    row(
        "embedding-transposed",
        ELSEWHERE,
        "words",
        moved("words.weight", np.transpose),
        moved("words.weight", lambda w: w[::-1]),
    ),
    row("attention-untransposed", ELSEWHERE, "mix", each(QKV, np.transpose), each(QKV, np.flipud)),
    row(
        "projections-exchanged",
        "other projections",
        "mix",
        swapped("mix.k_proj.weight", "mix.v_proj.weight"),
        lambda w: {QKV[1]: (w[QKV[1]] + w[QKV[2]]) / 2},
    ),
    row(
        "weights-exchanged",
        "other weights",
        "one",
        swapped("one.weight", "two.weight"),
        lambda w: {"one.weight": w["two.weight"][::-1]},
    ),
    row(
        "kernel-transposed",
        ELSEWHERE,
        "conv",
        moved("conv.weight", lambda w: w.swapaxes(2, 3)),
        moved("conv.weight", lambda w: w[:, :, ::-1, ::-1]),
    ),
    row(
        "channels-transposed",
        ELSEWHERE,
        "conv",
        moved("conv.weight", lambda w: w.swapaxes(0, 1)),
        moved("conv.weight", lambda w: np.roll(w, 1, 0)),
    ),
    row(
        "input-channels-reversed",
        ELSEWHERE,
        "conv",
        moved("conv.weight", lambda w: w[:, ::-1]),
        moved("conv.weight", lambda w: np.roll(w, 1, 1)),
    ),
    row(
        "statistics-exchanged",
        "other statistics",
        "bn",
        swapped("bn._mean", "bn._variance"),
        lambda w: {"bn._mean": w["bn._variance"]},
    ),
    row(
        "statistics-never-loaded",
        "other statistics",
        "bn",
        lambda w: {"bn._mean": 0 * w["bn._mean"], "bn._variance": 0 * w["bn._variance"] + 1},
        lambda w: {"bn._mean": 0 * w["bn._mean"], "bn._variance": 0 * w["bn._variance"] + 2},
    ),
    row(
        "scale-and-shift-exchanged",
        "another scale",
        "bn",
        swapped("bn.weight", "bn.bias"),
        lambda w: {"bn.weight": w["bn.bias"]},
    ),
    row(
        "gates-reordered",
        "other gates",
        "read",
        gates((0, 1, 3, 2)),
        lambda w: {key: a[::-1] for key, a in w.items() if key.startswith("read.")},
    ),
    row(
        "weights-rounded",
        "all is slightly off",
        "two",
        moved("two.weight", lambda w: w.astype("float16").astype("float32")),
        moved("two.weight", lambda w: np.round(w * 1000) / np.float32(1000)),
    ),
    row(
        "weights-scaled",
        "all is larger",
        "two",
        moved("two.weight", lambda w: 2 * w),
        moved("two.weight", lambda w: w * (2 + np.arange(8) / 100)),
    ),
    row("weights-never-loaded", "noise", "two", noise(1.0), noise(0.01)),
    Case(
        "abn-not-folded",
        "a scale of another sign",
        in_place,
        lambda _: {"norm.weight": seeded(in_place()).norm.weight.detach().numpy()},
        lambda w: {"norm.weight": -w["norm.weight"]},
        (drawn(2, 16, 5, 6),),
        "norm",
        lambda: Paddle(lambda n, x: n.norm(x), norm=p.BatchNorm2D(16)),
    ),
)
