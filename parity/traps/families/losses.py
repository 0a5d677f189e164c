"""Losses."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import paddle
from paddle import nn as pn
from torch import nn as tn

from parity.traps.tools import gap, in_both, normal
from parity.traps.trap import Measured, several, trap

TF, PF = tn.functional, pn.functional


def _labels(count: int, classes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, count]).integers(0, classes, count)


@trap(
    43,
    "ignore-index",
    torch="mean over the labels that count",
    paddle="mean over all",
    mend="a positive index, 255",
    source="PaddlePaddle/Paddle#48663",
)
def ignore_index() -> Measured:
    """Cross-entropy with a negative ignore_index."""
    ours, theirs = in_both(normal(8, 5))
    labels = _labels(8, 5)

    def error(index: int) -> float:
        chosen = np.where(np.arange(8) % 2, index, labels)
        targets = in_both(chosen)
        return gap(
            TF.cross_entropy(ours, targets[0], ignore_index=index),
            PF.cross_entropy(theirs, targets[1], ignore_index=index),
        )

    return Measured(error(-1), error(255), "half the labels ignored")


def _soft_cross_entropy(logits: Any, soft: Any, weights: Any) -> Any:
    return -(soft * PF.log_softmax(logits, 1) * weights).sum(1).mean()


@trap(
    44,
    "weighted-soft-labels",
    torch="weights each class's term; divides by the sum of weights, or by the batch if soft",
    paddle="weights the sample",
    mend="write the loss out",
)
def weighted_soft_labels() -> Measured:
    """Soft labels, or label smoothing, with class weights."""
    ours, theirs = in_both(normal(8, 5))
    weights = in_both(np.array([0.2, 3.0, 1.0, 0.5, 2.0], np.float32))
    soft = in_both(np.random.default_rng(44).dirichlet(np.ones(5), 8).astype(np.float32))
    labels = in_both(_labels(8, 5))
    expected = TF.cross_entropy(ours, soft[0], weight=weights[0])
    found = PF.cross_entropy(theirs, soft[1], weight=weights[1], soft_label=True)
    smooth = TF.cross_entropy(ours, labels[0], weight=weights[0], label_smoothing=0.1)
    smooth_found = PF.cross_entropy(theirs, labels[1], weight=weights[1], label_smoothing=0.1)
    hard = PF.one_hot(labels[1], 5)
    written = _soft_cross_entropy(theirs, hard * 0.9 + 0.1 / 5, weights[1])
    # torch divides by the weights of the true classes, not by the number of samples.
    written = written * 8 / (hard * weights[1]).sum()
    return several(
        {
            "soft labels": (
                gap(expected, found),
                gap(expected, _soft_cross_entropy(theirs, soft[1], weights[1])),
            ),
            "label smoothing": (gap(smooth, smooth_found), gap(smooth, written)),
        }
    )


# Without Paddle's own handler, which hangs on the broken heap that it wants to report.
CRASH = """
import numpy as np, paddle
import paddle.nn.functional as F
paddle.disable_signal_handler()
logits = paddle.to_tensor(np.zeros((2, 19, 64, 64), "float32"))
labels = paddle.to_tensor(np.where(np.arange(64) % 3, 1, 255).repeat(128).reshape(2, 64, 64))
F.nll_loss(F.log_softmax(logits, 1), labels, ignore_index=255).item()
"""


def _guarded(functional: Any, logits: Any, labels: Any) -> Any:
    if not (labels != 255).any():
        return logits.sum() * 0.0
    return functional.cross_entropy(logits, labels, ignore_index=255)


@trap(
    45,
    "all-ignored",
    torch="NaN",
    paddle="0 from cross_entropy; nll_loss corrupts the heap on the CPU, be a third ignored or all",
    mend="count the labels before the call; cross_entropy in nll_loss's place",
)
def all_ignored() -> Measured:
    """A batch of ignored labels alone."""
    logits, labels = in_both(normal(4, 5)), in_both(np.full(4, 255))
    sides = tuple(zip((TF, PF), logits, labels, strict=True))
    usual = [side.cross_entropy(x, y, ignore_index=255) for side, x, y in sides]
    mended = [_guarded(*side) for side in sides]
    command = [sys.executable, "-c", CRASH]
    ended = subprocess.run(command, capture_output=True, check=False, timeout=60).returncode  # noqa: S603
    end = "unharmed" if ended == 0 else f"killed by signal {-ended}"
    note = f"{usual[0].item()} against {usual[1].item()}; a process that called nll_loss: {end}"
    return Measured(gap(*usual), gap(*mended), note)


@trap(
    46,
    "smooth-l1",
    torch="beta divides",
    paddle="delta is Huber's",
    mend="divide by delta",
)
def smooth_l1() -> Measured:
    """smooth_l1."""
    ours, theirs = in_both(normal(6, 4))
    goal = in_both(normal(6, 4, seed=1) * 3)
    expected = TF.smooth_l1_loss(ours, goal[0], beta=2.0)
    found = PF.smooth_l1_loss(theirs, goal[1], delta=2.0)
    return Measured(gap(expected, found), gap(expected, found / 2.0), "with 2")


def _by_sum_of_exponentials(logits: Any, labels: Any) -> Any:
    picked = (logits * PF.one_hot(labels, logits.shape[1])).sum(1)
    return (paddle.logsumexp(logits, 1) - picked).mean()


@trap(
    67,
    "softmax-ends-at-64",
    torch="a loss as large as the logits are apart",
    paddle="CPU kernels cut differences off at 64, float64 too: cross_entropy, log_softmax",
    mend="paddle.logsumexp(logits, 1) less the label's logit",
)
def softmax_ends_at_64() -> Measured:
    """Cross-entropy of logits that are far apart."""
    sides = in_both(np.array([[100.0, 0.0, 0.0], [0.0, 1.0, 90.0]], np.float32))
    labels = in_both(np.array([1, 0]))
    expected = TF.cross_entropy(sides[0], labels[0])
    found = PF.cross_entropy(sides[1], labels[1])
    logs = gap(TF.log_softmax(sides[0], 1), PF.log_softmax(sides[1], 1))
    written = _by_sum_of_exponentials(sides[1], labels[1])
    centred = sides[1] - paddle.logsumexp(sides[1], 1, keepdim=True)
    return several(
        {
            "cross_entropy": (gap(expected, found), gap(expected, written)),
            "log_softmax": (logs, gap(TF.log_softmax(sides[0], 1), centred)),
        }
    )
