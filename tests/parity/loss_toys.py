"""Losses to get wrong, in both frameworks."""

import math

import numpy as np
import paddle
import paddle.nn.functional as PF
import torch
import torch.nn.functional as TF

from parity import check_parity
from parity.losses import LossCase, Losses

WEIGHTS = np.array([0.5, 1.0, 1.5, 3.0], "float32")
THRESHOLD = -math.log(0.7)
RANDOM = np.random.default_rng(11)
LOGITS = (2 * RANDOM.standard_normal((2, 4, 6, 8))).astype("float32")
LABELS = np.where(RANDOM.random((2, 6, 8)) < 0.2, 255, RANDOM.integers(0, 4, (2, 6, 8)))


def case(logits=LOGITS, labels=LABELS) -> LossCase:
    return LossCase("labels, some ignored", (logits,), (labels,))


def cases() -> list[LossCase]:
    other = RANDOM.standard_normal(LOGITS.shape).astype("float32")
    return [case(), LossCase("other outputs", (other,), (LABELS,))]


def ohem(x, y, threshold=THRESHOLD):
    losses = TF.cross_entropy(x, y, ignore_index=255, reduction="none").flatten()
    losses = losses.sort(descending=True).values
    if losses[losses.numel() // 16] > threshold:
        return losses[losses > threshold].mean()
    return losses[: losses.numel() // 16].mean()


def paddle_ohem(x, y, threshold=THRESHOLD, fewest=None):
    losses = PF.cross_entropy(x, y, ignore_index=255, axis=1, reduction="none").flatten()
    losses, fewest = losses.sort(descending=True), fewest or losses.size // 16
    if losses[fewest] > threshold:
        return losses[losses > threshold].mean()
    return losses[:fewest].mean()


def torch_dice(x, y, smooth=1.0):
    p, t = torch.sigmoid(x[:, 0]).flatten(1), (y == 1).to(x.dtype).flatten(1)
    return (1 - (2 * (p * t).sum(1) + smooth) / (p.sum(1) + t.sum(1) + smooth)).mean()


def paddle_dice(x, y, smooth=1.0):
    p, t = PF.sigmoid(x[:, 0]).flatten(1), (y == 1).astype(x.dtype).flatten(1)
    return (1 - (2 * (p * t).sum(1) + smooth) / (p.sum(1) + t.sum(1) + smooth)).mean()


def diagnosed(ours, theirs):
    """Check a loss beside two networks that agree, and give the causes."""
    module, layer = torch.nn.Linear(2, 2), paddle.nn.Linear(2, 2)
    result = check_parity(
        module,
        layer,
        np.ones((1, 2), "float32"),
        checks=["loss"],
        losses=Losses(ours, theirs, cases()),
        precision="float64",
    )
    assert all(one.layer == "" for one in result.diagnosis)
    return [one.cause for one in result.diagnosis], result
