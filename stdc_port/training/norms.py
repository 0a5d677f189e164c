"""Batch norm in several processes.

Each normalises by its own pictures, unless the layer is synchronised. Then the processes' running
statistics differ, and evaluation could not be the same in all: they become their mean, weighted by
pictures, after every step. (Torch's DistributedDataParallel takes those of the first process.)
"""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn

from stdc_port.training.parallel import Processes

BACKBONE = "cp.backbone."
_KINDS = (nn.BatchNorm1D, nn.BatchNorm2D)


def synchronise(network: Any, where: str, processes: Processes) -> str:
    """Make batch norms normalise by the pictures of all processes, where the device can.

    Args:
        network: its parameters and their names stay.
        where: see `synchronised`, or "no".
        processes: that train it together.

    Returns:
        What somebody should know who expected it, '' where it is done or not wanted.
    """
    if processes.count == 1 or where == "no":
        return ""
    if not paddle.get_device().startswith("gpu"):
        return (
            f"train.sync_batch_norm={where!r} is not heeded: Paddle has no kernel for it on the "
            f"{paddle.get_device()}; each of the {processes.count} processes normalises by its "
            "own pictures"
        )
    synchronised(network, where)
    return ""


def synchronised(network: Any, where: str) -> int:
    """Replace batch norms by synchronised ones.

    Args:
        network: its parameters and their names stay.
        where: "heads" for those outside the backbone, as the authors have it, or "all".

    Returns:
        The number of layers.
    """
    layers = dict(network.named_sublayers())
    chosen = [
        path
        for path, layer in layers.items()
        if isinstance(layer, nn.BatchNorm2D) and (where == "all" or not path.startswith(BACKBONE))
    ]
    for path in chosen:
        parent, _, name = path.rpartition(".")
        converted = nn.SyncBatchNorm.convert_sync_batchnorm(layers[path])
        (layers[parent] if parent else network).add_sublayer(name, converted)
    return len(chosen)


class RunningStatistics:
    """Those of a network's batch norms, kept the same in all processes."""

    def __init__(self, network: Any, processes: Processes) -> None:
        """Watch which layers take part: what is not computed, or is frozen, stays untouched."""
        self._processes, self._changed = processes, dict[int, Any]()
        if processes.count > 1:
            for layer in network.sublayers():
                if isinstance(layer, _KINDS):
                    layer.register_forward_post_hook(self._note)

    def average(self, share: float) -> None:
        """Replace the statistics that changed by their mean; `share` is this process's weight."""
        layers, self._changed = self._changed.values(), {}
        tensors = [
            tensor
            for layer in layers
            for tensor in (layer._mean, layer._variance)  # noqa: SLF001  Paddle's names for them
        ]
        if tensors:
            self._processes.add(tensors, share)

    def _note(self, layer: Any, *_: Any) -> None:
        if layer.training:
            self._changed[id(layer)] = layer
