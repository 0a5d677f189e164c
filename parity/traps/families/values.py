"""Functions of values: activations, dropout, NaN, reductions, axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import paddle
import torch
from paddle import nn as pn
from torch import nn as tn

from parity.traps.tools import gap, in_both, normal
from parity.traps.trap import Measured, several, trap

TF, PF = tn.functional, pn.functional


@trap(
    39,
    "gelu-and-dropout",
    torch="gelu(approximate='tanh') where asked; dropout scales in training",
    paddle="exact GELU by default; mode 'downscale_in_infer' scales in evaluation",
    mend="approximate=True; mode='upscale_in_train'",
    shows=1e-5,
)
def gelu_and_dropout() -> Measured:
    """GELU, and dropout by another rule."""
    ours, theirs = in_both(normal(64, 64))
    expected = TF.gelu(ours, approximate="tanh")
    kept = TF.dropout(ours, 0.5, training=False)

    def dropped(mode: str) -> Any:
        return PF.dropout(theirs, 0.5, training=False, mode=mode)

    return several(
        {
            "gelu": (
                gap(expected, PF.gelu(theirs)),
                gap(expected, PF.gelu(theirs, approximate=True)),
            ),
            "dropout": (
                gap(kept, dropped("downscale_in_infer")),
                gap(kept, dropped("upscale_in_train")),
            ),
        }
    )


def _nans(value: Any) -> int:
    return int(np.isnan(np.asarray(value.detach().numpy())).sum())


@trap(
    40,
    "nan-swallowed",
    torch="NaN stays NaN; leaky_relu'(0) is the slope",
    paddle="relu(NaN) is 0, max pooling and argmax pass over NaN; leaky_relu'(0) is 1",
    mend="look for NaN before the activation; where(x > 0, x, slope·x)",
    bound=0.0,
)
def nan_swallowed() -> Measured:
    """NaN in activations and pooling; the slope of leaky_relu at 0."""
    values = normal(1, 1, 4, 4)
    values[0, 0, 0, 0] = math.nan
    ours, theirs = in_both(values)
    looked_for = float(abs(_nans(ours) - _nans(theirs)))
    zeros = in_both(np.zeros(1, np.float32))
    zeros[0].requires_grad_()
    slope = torch.autograd.grad(TF.leaky_relu(zeros[0], 0.1).sum(), zeros[0])[0]
    zeros[1].stop_gradient = False

    def slope_of(run: Any) -> Any:
        return paddle.grad(run(zeros[1]).sum(), zeros[1])[0]

    return several(
        {
            "relu": (_nans(TF.relu(ours)) - _nans(PF.relu(theirs)), looked_for),
            "max_pool": (
                _nans(TF.max_pool2d(ours, 2)) - _nans(PF.max_pool2d(theirs, 2)),
                looked_for,
            ),
            "argmax": (float(ours.argmax() != int(theirs.argmax())), looked_for),
            "leaky_relu'(0)": (
                gap(slope, slope_of(lambda x: PF.leaky_relu(x, 0.1))),
                gap(slope, slope_of(lambda x: paddle.where(x > 0, x, 0.1 * x))),
            ),
        }
    )


@trap(
    41,
    "same-name-other-result",
    torch="split by size; median is the lower of two; one_hot int64; max(dim) gives indices too",
    paddle="split by count; median is their mean; one_hot float32; max gives values alone",
    mend="chunk counts; mode='min'; a cast; topk or argmax",
    bound=0.0,
)
def same_name_other_result() -> Measured:
    """split, median, one_hot, max."""
    six, four = in_both(np.arange(6.0)), in_both(np.array([1.0, 2.0, 3.0, 4.0]))
    rows = in_both(normal(3, 4))
    labels = in_both(np.array([0, 2]))
    hot = PF.one_hot(labels[1], 3)
    maxima = torch.max(rows[0], 1)
    theirs = paddle.max(rows[1], 1)
    return several(
        {
            "parts of split(x, 2)": (
                abs(len(six[0].split(2)) - len(paddle.split(six[1], 2))),
                abs(len(six[0].split(2)) - len(paddle.split(six[1], 3))),
            ),
            "median": (
                gap(four[0].median(), paddle.median(four[1])),
                gap(four[0].median(), paddle.median(four[1], mode="min")),
            ),
            "one_hot's dtype": (
                float(hot.dtype != paddle.int64),
                gap(TF.one_hot(labels[0], 3), hot.astype("int64")),
            ),
            "results of max": (
                len(maxima) - (len(theirs) if isinstance(theirs, tuple | list) else 1),
                gap(maxima.indices, paddle.argmax(rows[1], 1)),
            ),
        }
    )


@trap(
    42,
    "axis-and-overwrite",
    torch="softmax(dim=1) by habit; index_add adds to what is there",
    paddle="softmax over the last axis; scatter(overwrite=False) starts from zero",
    mend="axis=1; scatter_nd_add",
)
def axis_and_overwrite() -> Measured:
    """Softmax and scatter."""
    ours, theirs = in_both(normal(2, 3, 4))
    expected = TF.softmax(ours, 1)
    start, places, added = np.full((3,), 5.0), np.array([1]), np.array([2.0])
    base = in_both(start)
    summed = base[0].index_add(0, torch.from_numpy(places), torch.from_numpy(added))
    index, update = paddle.to_tensor(places), paddle.to_tensor(added)
    return several(
        {
            "softmax": (gap(expected, PF.softmax(theirs)), gap(expected, PF.softmax(theirs, 1))),
            "scatter": (
                gap(summed, paddle.scatter(base[1], index, update, overwrite=False)),
                gap(summed, paddle.scatter_nd_add(base[1], index.unsqueeze(1), update)),
            ),
        }
    )
