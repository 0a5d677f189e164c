"""Bugs in a layer's settings, and what looks like them."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import torch
from cause_cases import IMAGE, SQUARE, Case, after, framed, scaled, shortened
from function_toys import Paddle, Torch

t, p = torch.nn, paddle.nn
TOKENS = (np.arange(12).reshape(2, 6) % 8,)
MASK = (SQUARE[0], np.triu(np.ones((6, 6), bool), 1))


def by_instance(x: Any) -> Any:
    centred = x - x.mean([2, 3], keepdim=True)
    return centred / ((centred * centred).mean([2, 3], keepdim=True) + 1e-5).sqrt()


class RMSNorm(p.Layer):
    """Somebody's own; this Paddle has none."""

    def __init__(self, size: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.weight, self._epsilon = self.create_parameter([size]), epsilon

    def forward(self, x: Any) -> Any:
        return x / ((x * x).mean(-1, keepdim=True) + self._epsilon).sqrt() * self.weight


class OwnStatistics(p.BatchNorm2D):
    def forward(self, x: Any) -> Any:
        weight, bias = (one.reshape([1, -1, 1, 1]) for one in (self.weight, self.bias))
        return by_instance(x) * weight + bias


class NoOnes(p.Embedding):
    def forward(self, x: Any) -> Any:
        return super().forward(x) * (x != 1).astype("float64").unsqueeze(-1)


class Backwards(p.GRU):
    def forward(self, x: Any) -> Any:
        return super().forward(x.flip(1))


def attending(body: Any, heads: int = 2) -> Any:
    return Paddle(body, a=p.MultiHeadAttention(8, heads))


def attention() -> Any:
    return Torch(lambda n, x: n.a(x, x, x)[0], a=t.MultiheadAttention(8, 2, batch_first=True))


def masked() -> Any:
    return Torch(
        lambda n, x, m: n.a(x, x, x, attn_mask=m)[0],
        a=t.MultiheadAttention(8, 2, batch_first=True),
    )


def conv(**options: Any) -> Any:
    return lambda: t.Conv2d(4, 4, 3, **options)


def port(*size: int, **options: Any) -> Any:
    return lambda: p.Conv2D(4, 4, *(size or (3,)), **options)


def row(cause: str, symptom: str, ours: Any, bug: Any, like: Any, inputs: Any = IMAGE) -> Case:
    return Case(cause, symptom, ours, bug, like, inputs)


SIZE, BORDER, SLIGHTLY = "another size", "the border is wrong", "all is slightly off"
UP, UP_P = (
    (lambda **o: lambda: t.Upsample((12, 14), **o)),
    (lambda size=(12, 14), **o: lambda: p.Upsample(list(size), **o)),
)

SETTINGS = (
    row("stride", SIZE, conv(stride=2, padding=1), port(padding=1), port(stride=2, padding=2)),
    row("padding", SIZE, conv(padding=1), port(), port(padding=1, dilation=2)),
    row(
        "dilation",
        "another reach",
        conv(padding=2, dilation=2),
        port(padding=1),
        port(padding=2, dilation=2, padding_mode="reflect"),
    ),
    row(
        "same-padding-dilation",
        "another reach",
        conv(padding=2, dilation=2),
        port(padding="SAME", dilation=2),
        port(padding=1),
    ),
    row("groups", "weights do not fit", conv(groups=2), port(groups=4), port(1, groups=2)),
    row(
        "padding-mode",
        BORDER,
        conv(padding=1, padding_mode="reflect"),
        port(padding=1),
        lambda: framed(p.Conv2D)(4, 4, 3, padding=1, padding_mode="reflect"),
    ),
    row(
        "output-padding",
        SIZE,
        lambda: t.ConvTranspose2d(4, 4, 3, stride=2, output_padding=1),
        lambda: p.Conv2DTranspose(4, 4, 3, stride=2),
        lambda: p.Conv2DTranspose(4, 4, 3, stride=2, padding=1, output_padding=1),
    ),
    row(
        "kernel-size",
        "larger and smaller values",
        lambda: t.MaxPool2d(3, 2, 1),
        lambda: p.MaxPool2D(2, 2, 1),
        lambda: p.AvgPool2D(3, 2, 1),
    ),
    row(
        "pool-kind",
        "larger values",
        lambda: t.AvgPool2d(3, 2, 1),
        lambda: p.MaxPool2D(3, 2, 1),
        lambda: scaled(p.AvgPool2D, 2.0)(3, 2, 1, exclusive=False),
    ),
    row(
        "pool-exclusive",
        BORDER,
        lambda: t.AvgPool2d(3, 2, 1),
        lambda: p.AvgPool2D(3, 2, 1),
        lambda: framed(p.AvgPool2D)(3, 2, 1, exclusive=False),
    ),
    row(
        "ceil-mode",
        SIZE,
        lambda: t.AvgPool2d(2, 2),
        lambda: p.AvgPool2D(2, 2, ceil_mode=True),
        lambda: p.AvgPool2D(2, 2, padding=1, exclusive=False),
    ),
    row(
        "pool-divisor",
        "all is larger by one factor",
        lambda: t.AvgPool2d(3, 2, 1, divisor_override=4),
        lambda: p.AvgPool2D(3, 2, 1, exclusive=False),
        lambda: scaled(p.AvgPool2D, 1.1)(3, 2, 1, divisor_override=4),
    ),
    *(
        row(cause, SLIGHTLY, ours, lambda kind=kind: kind(epsilon=1.1e-5), like)
        for cause, ours, kind, like in (
            (
                "bn-epsilon",
                lambda: t.BatchNorm2d(4),
                lambda **o: p.BatchNorm2D(4, **o),
                lambda: scaled(p.BatchNorm2D, 1 + 1e-6)(4),
            ),
            (
                "layer-norm-epsilon",
                lambda: t.LayerNorm(11),
                lambda **o: p.LayerNorm(11, **o),
                lambda: scaled(p.LayerNorm, 1 + 1e-6)(11),
            ),
            (
                "rms-norm-epsilon",
                lambda: t.RMSNorm(11, 1e-5),
                lambda **o: RMSNorm(11, **o),
                lambda: scaled(RMSNorm, 1 + 1e-6)(11),
            ),
            (
                "group-norm-epsilon",
                lambda: t.GroupNorm(2, 4),
                lambda **o: p.GroupNorm(2, 4, **o),
                lambda: scaled(p.GroupNorm, 1 + 1e-6)(2, 4),
            ),
            (
                "instance-norm-epsilon",
                lambda: t.InstanceNorm2d(4, affine=True),
                lambda **o: p.InstanceNorm2D(4, **o),
                lambda: scaled(p.InstanceNorm2D, 1 + 1e-6)(4),
            ),
        )
    ),
    row(
        "bn-batch-statistics",
        "other statistics",
        lambda: t.BatchNorm2d(4),
        lambda: p.BatchNorm2D(4, use_global_stats=False),
        lambda: OwnStatistics(4),
    ),
    row(
        "norm-groups",
        "other statistics",
        lambda: t.GroupNorm(2, 4),
        lambda: p.GroupNorm(4, 4),
        lambda: p.GroupNorm(2, 4, epsilon=0.1),
    ),
    row(
        "norm-kind",
        "other statistics",
        lambda: t.InstanceNorm2d(4, affine=True),
        lambda: p.GroupNorm(1, 4),
        lambda: p.InstanceNorm2D(4, epsilon=0.1),
    ),
    row(
        "local-response-norm",
        SLIGHTLY,
        lambda: t.LocalResponseNorm(3),
        lambda: p.LocalResponseNorm(3, alpha=2e-4),
        lambda: scaled(p.LocalResponseNorm, 1 - 1e-5)(3),
    ),
    row(
        "pixel-shuffle",
        SIZE,
        lambda: t.PixelShuffle(2),
        lambda: p.PixelShuffle(1),
        lambda: shortened(p.PixelShuffle)(2),
    ),
    row("resize-size", SIZE, UP(), UP_P((13, 14)), lambda: shortened(p.Upsample)([12, 14])),
    row(
        "resize-mode",
        "edges are wrong",
        UP(),
        UP_P(mode="bilinear"),
        lambda: after(p.Upsample, lambda x: x.roll(1, -1))([12, 14]),
    ),
    row(
        "resize-align-corners",
        "edges are wrong",
        UP(mode="bilinear", align_corners=True),
        UP_P(mode="bilinear", align_corners=False),
        UP_P(mode="bicubic", align_corners=True),
    ),
    row(
        "align-mode",
        "edges are wrong",
        UP(mode="bilinear", align_corners=False),
        UP_P(mode="bilinear", align_corners=False, align_mode=1),
        UP_P(mode="bilinear", align_corners=True),
    ),
    row(
        "embedding-padding-row",
        "one token is zero",
        lambda: t.Embedding(8, 4),
        lambda: p.Embedding(8, 4, padding_idx=0),
        lambda: NoOnes(8, 4),
        TOKENS,
    ),
    row(
        "time-major",
        "another course",
        lambda: t.GRU(8, 8, batch_first=True),
        lambda: p.GRU(8, 8, time_major=True),
        lambda: Backwards(8, 8),
        SQUARE,
    ),
    Case(
        "attention-heads",
        "other weights of the positions",
        attention,
        lambda: attending(lambda n, x: n.a(x, x, x), 4),
        lambda: attending(lambda n, x: n.a(x, 1.1 * x, x)),
        SQUARE,
        "a",
    ),
    Case(
        "mask-inverted",
        "other positions count",
        masked,
        lambda: attending(lambda n, x, m: n.a(x, x, x, m)),
        lambda: attending(lambda n, x, m: n.a(x, x, x, m.astype("float64"))),
        MASK,
        "a",
    ),
    row(
        "dropout-mode",
        "all is smaller by one factor",
        lambda: t.Dropout(0.5),
        lambda: p.Dropout(0.5, mode="downscale_in_infer"),
        lambda: scaled(p.Dropout, 0.6)(0.5),
    ),
    row(
        "flatten-axes",
        "another shape",
        lambda: t.Flatten(1),
        lambda: p.Flatten(2),
        lambda: shortened(p.Flatten)(1),
    ),
    row(
        "activation-slope",
        "values below zero are wrong",
        lambda: t.LeakyReLU(0.1),
        lambda: p.LeakyReLU(0.2),
        lambda: p.ELU(0.1),
    ),
    row(
        "gelu-approximate",
        SLIGHTLY,
        lambda: t.GELU("tanh"),
        p.GELU,
        lambda: scaled(p.GELU, 1.0003)(True),
    ),
    row(
        "softmax-axis",
        "sums are not one",
        lambda: t.Softmax(1),
        lambda: p.Softmax(2),
        lambda: scaled(p.Softmax, 1.1)(1),
    ),
    row(
        "activation-different",
        "values below zero are wrong",
        t.ReLU,
        p.ELU,
        after(p.ReLU, lambda x: x - 0.1),
    ),
    row(
        "activation-dropped",
        "values below zero are kept",
        t.ReLU,
        p.Identity,
        lambda: p.LeakyReLU(0.99),
    ),
    row(
        "bias-missing",
        "weights do not fit",
        lambda: t.Linear(8, 8),
        lambda: p.Linear(8, 8, bias_attr=False),
        lambda: p.Linear(8, 7),
        SQUARE,
    ),
    row(
        "bias-created",
        "weights do not fit",
        lambda: t.Linear(8, 8, bias=False),
        lambda: p.Linear(8, 8),
        lambda: p.Linear(8, 9, bias_attr=False),
        SQUARE,
    ),
)
