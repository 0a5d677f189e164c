"""Training both sides of a network as their own sources say."""

from __future__ import annotations

import copy
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch

from benchmarks.port_bugs.network import Network, original


def step(source: ModuleType, network: Any, training: Any, inputs: Any, labels: Any) -> Any:
    """Take one training step and return the loss.

    Args:
        source: the module of the network.
        network: what it built, in training mode.
        training: what its `training` returned.
        inputs: tensors.
        labels: a tensor.
    """
    loss = source.loss(network(*inputs), labels)
    loss.backward()
    source.update(network, *training)
    return loss


def plan(network: Network, port: ModuleType) -> Any:
    """Return the training of a network and a port as the harness takes it."""
    from parity.training.plan import Training

    original = network.original()
    return Training(
        torch_loss=original.loss,
        paddle_loss=port.loss,
        torch_optimizer=_maker(original),
        paddle_optimizer=_maker(port),
        batches=[network.batch(seed) for seed in range(3)],
    )


def losses(network: Network, port: ModuleType) -> Any:
    """Return the losses of a network and a port, and what the network returns in training."""
    from parity.losses import LossCase, Losses

    outputs, names = _outputs(network)
    sides = (_taking(source.loss, names) for source in (network.original(), port))
    labels = network.batch()[1]
    return Losses(*sides, [LossCase("labels, some ignored", outputs, (labels,))])


def _outputs(network: Network) -> tuple[tuple[np.ndarray, ...], tuple[str, ...]]:
    """Run torch's network in training mode; the names are those of a dict that it returns."""
    module = copy.deepcopy(original(network.name)).train()
    with torch.no_grad():
        found = module(*(torch.from_numpy(array) for array in network.batch()[0]))
    names = tuple(found) if isinstance(found, dict) else ()
    parts = found.values() if names else found if isinstance(found, tuple) else (found,)
    return tuple(part.numpy() for part in parts), names


def _taking(loss: Any, names: tuple[str, ...]) -> Any:
    """Let a loss that takes a dict take a tuple."""
    if not names:
        return loss
    return lambda outputs, labels: loss(dict(zip(names, outputs, strict=True)), labels)


def _maker(source: ModuleType) -> Any:
    def make(network: Any, _: Any) -> Any:
        optimizer, schedule = source.training(network)
        parts = _Parts(network, optimizer)
        # The harness makes the step; the source decides what belongs to it.
        optimizer.step = lambda: parts.update(source, schedule)
        return optimizer

    return make


class _Parts:
    """An optimizer taken apart, so that a source's `update` can be the harness's step.

    The harness clears the gradients before each step. Those that a source does not clear are kept
    here, and added to the next ones.
    """

    def __init__(self, network: Any, optimizer: Any) -> None:
        self.network = network
        self.plain = optimizer.step
        self.cleared = True
        self.kept: dict[str, Any] = {}

    def update(self, source: ModuleType, schedule: Any) -> None:
        self._add_kept()
        self.cleared = False
        clear = self._clear
        stand_in = SimpleNamespace(step=self.plain, zero_grad=clear, clear_grad=clear)
        source.update(self.network, stand_in, schedule)
        gradients = {
            name: p.grad for name, p in self.network.named_parameters() if p.grad is not None
        }
        self.kept = {} if self.cleared else {n: g.clone() for n, g in gradients.items()}

    def _clear(self) -> None:
        self.cleared = True

    def _add_kept(self) -> None:
        for name, parameter in self.network.named_parameters():
            if name in self.kept:
                parameter.grad.set_value(parameter.grad + self.kept[name])
