"""What inference does not need: the heads of the training, and batch norms behind convolutions.

Both frameworks' networks hold the same layers under the same names, so one walk serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRAINING_HEADS = (
    "conv_out16",
    "conv_out32",
    "conv_out_sp16",
    "conv_out_sp8",
    "conv_out_sp4",
    "conv_out_sp2",
)
"""Attributes of a segmentation network that evaluation does not use."""

_CLASSIFIER = ("conv_last", "fc", "bn", "linear")


def drop_heads(network: Any) -> None:
    """Take the training's heads out of a network, and the classifier that its backbone carries."""
    for name in TRAINING_HEADS:
        delattr(network, name)
    for name in _CLASSIFIER:
        if hasattr(network.cp.backbone, name):
            delattr(network.cp.backbone, name)


@dataclass(frozen=True)
class Reduction:
    """What is taken out of a network before it is exported.

    Attributes:
        drop_heads: the heads that only the training uses.
        fold_norms: batch norms, into the convolutions before them.
    """

    drop_heads: bool = False
    fold_norms: bool = False


@dataclass(frozen=True)
class Norm:
    """A batch norm in evaluation: y = (x − mean) · scale / √(variance + epsilon) + shift."""

    scale: NDArray[np.floating[Any]]
    shift: NDArray[np.floating[Any]]
    mean: NDArray[np.floating[Any]]
    variance: NDArray[np.floating[Any]]
    epsilon: float


def fold(
    weight: NDArray[np.floating[Any]], bias: NDArray[np.floating[Any]] | None, norm: Norm
) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Weight (O, I, kh, kw) and bias (O,) of a convolution that does its batch norm's work.

    Computed in double precision and rounded once, to the weight's type.
    """
    deviation = np.sqrt(norm.variance.astype(np.float64) + norm.epsilon)
    factor = norm.scale.astype(np.float64) / deviation
    before = 0.0 if bias is None else bias.astype(np.float64)
    shift = (before - norm.mean.astype(np.float64)) * factor + norm.shift.astype(np.float64)
    folded = weight.astype(np.float64) * factor[:, None, None, None]
    return folded.astype(weight.dtype), shift.astype(weight.dtype)


def reduce(
    network: Any,
    reduction: Reduction,
    conv: type,
    norm: type,
    fold_pair: Callable[[Any, str, str], None],
) -> None:
    """Take out of a network of either framework what inference does not need.

    Args:
        network: changed in place.
        reduction: what goes.
        conv: class of convolutions.
        norm: class of batch norms.
        fold_pair: folds one, given as `norm_pairs` gives it.
    """
    if reduction.drop_heads:
        drop_heads(network)
    if reduction.fold_norms:
        for parent, conv_name, norm_name in norm_pairs(network, conv, norm):
            fold_pair(parent, conv_name, norm_name)


def norm_pairs(network: Any, conv: type, norm: type) -> list[tuple[Any, str, str]]:
    """Find the convolutions that a batch norm of the same parent follows.

    Args:
        network: the root.
        conv: class of convolutions.
        norm: class of batch norms.

    Returns:
        Parent, name of the convolution, name of its batch norm; of layers with several names once.
    """
    found: dict[int, tuple[Any, str, str]] = {}
    waiting = [network]
    while waiting:
        parent = waiting.pop()
        named = list(parent.named_children())
        waiting += [child for _, child in named]
        for (first, one), (second, other) in pairwise(named):
            if isinstance(one, conv) and isinstance(other, norm):
                found[id(other)] = (parent, first, second)
    return list(found.values())
