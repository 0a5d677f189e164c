"""Torch's running variance in Paddle's BatchNorm.

Both normalise by the biased variance of the batch. Torch then stores the unbiased one,
n / (n − 1) times larger, Paddle the biased one. At the 1×1 maps of the attentions n is the batch
size: at 12 pictures the stored variance differs by 9 %, which evaluation shows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import paddle
from paddle import nn


def use_unbiased_variance(network: nn.Layer, processes: int = 1) -> int:
    """Make every BatchNorm of a network keep the unbiased running variance while it trains.

    Args:
        network: its hooks are added to.
        processes: over whose pictures together a SyncBatchNorm normalises.

    Returns:
        The number of layers.
    """
    kinds = (nn.BatchNorm2D, nn.SyncBatchNorm)
    layers = [layer for layer in network.sublayers() if isinstance(layer, kinds)]
    for layer in layers:
        peers = processes if isinstance(layer, nn.SyncBatchNorm) else 1
        layer.register_forward_pre_hook(partial(_shrink, peers))
        layer.register_forward_post_hook(partial(_enlarge, peers))
    return len(layers)


# new = m·old + (1 − m)·biased, and the batch's part must grow by n / (n − 1): so must the sum,
# when the old part was made smaller by as much before. Training reads no running variance.
def _shrink(peers: int, layer: Any, inputs: Any) -> None:
    _scale(peers, layer, inputs, lambda n: (n - 1) / n)


def _enlarge(peers: int, layer: Any, inputs: Any, _: Any) -> None:
    _scale(peers, layer, inputs, lambda n: n / (n - 1))


def _scale(peers: int, layer: Any, inputs: Any, factor: Callable[[int], float]) -> None:
    n = peers * (inputs[0].size // inputs[0].shape[1])
    if layer.training and n > 1:
        running = layer._variance  # noqa: SLF001  Paddle's name for it
        with paddle.no_grad():
            # Backward, which does not read it either, refuses one that was changed in place.
            running.set_value(running * factor(n))
