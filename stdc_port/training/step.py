"""One step of the optimizer: a batch in equal parts, checked gradients, averaged weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import paddle

from converters.errors import InputError
from stdc_port.spec import LossParts
from stdc_port.training.batches import Batch
from stdc_port.training.groups import frozen_norms
from stdc_port.training.nonfinite import refuse_gradients, refuse_loss
from stdc_port.training.norms import RunningStatistics
from stdc_port.training.parallel import ALONE, Processes, portion
from stdc_port.training.recipe import Recipe

_AMP = {"bf16": "bfloat16", "fp16": "float16"}


class Stepper:
    """Trains a network by one batch at a time.

    Attributes:
        average: running average of the weights by path, empty without one.
        scaler: of mixed precision in float16, else None.
    """

    def __init__(
        self,
        network: Any,
        loss: Any,
        optimizer: Any,
        trained: dict[str, Any],
        recipe: Recipe,
        processes: Processes = ALONE,
    ) -> None:
        """Prepare the steps of a recipe.

        Raises:
            InputError: the device computes no mixed precision.
        """
        self._network, self._loss, self._recipe = network, loss, recipe
        self._optimizer, self._trained = optimizer, trained
        self._processes = processes
        self._statistics = RunningStatistics(network, processes)
        self._frozen = frozen_norms(network, recipe.optimizer.freeze)
        self.average: dict[str, Any] = {}
        self.scaler: Any = None
        if recipe.train.amp != "off":
            require_mixed_precision(recipe.train.amp)
        if recipe.train.amp == "fp16":
            self.scaler = paddle.amp.GradScaler(init_loss_scaling=2.0**15)
        if recipe.train.average:
            self.average = {
                path: tensor.clone().detach() for path, tensor in network.state_dict().items()
            }

    def training_mode(self) -> None:
        """Put the network in training mode, frozen norms excepted."""
        self._network.train()
        for layer in self._frozen:
            layer.eval()

    def __call__(self, batch: Batch, iteration: int, rate: float) -> dict[str, float]:
        """Train by one batch.

        Args:
            batch: the pictures, those of this process alone.
            iteration: counted from 0.
            rate: the learning rate.

        Returns:
            The loss's parts, `total` first: means over the pictures of all processes.

        Raises:
            NotFiniteError: the loss or a gradient is not finite; no weight has changed.
            ElsewhereError: another process ended.
        """
        self._optimizer.set_lr(rate)
        counts, losses = zip(
            *self._processes.gather([len(batch.images), self._backward(batch)]), strict=True
        )
        self._share(counts)
        self._apply()
        self._optimizer.clear_grad()
        self._update_average(iteration)
        return _means(counts, losses)

    def _backward(self, batch: Batch) -> dict[str, float]:
        """Leave the gradients of this process's loss at the parameters; return its parts."""
        sums = dict.fromkeys(LossParts._fields, 0.0)
        for part in self._parts(batch):
            parts = len(batch.images) / len(part.images)
            losses = self._losses(part)
            for name in sums:
                sums[name] += float(getattr(losses, name)) / parts
            if not np.isfinite(sums["total"]):
                refuse_loss(self._network, part, losses)
            total = losses.total / parts
            (total if self.scaler is None else self.scaler.scale(total)).backward()
        if self.scaler is None:  # in the process where it arose
            refuse_gradients(self._network, batch, self._trained)
        return sums

    def _parts(self, batch: Batch) -> Iterator[Batch]:
        accumulate = self._recipe.train.accumulate
        for number in range(accumulate):
            part = portion(len(batch.images), number, accumulate)
            yield Batch(batch.images[part], batch.labels[part])

    def _share(self, counts: Sequence[int]) -> None:
        """Make gradients and running statistics the mean over the pictures of all processes."""
        if len(counts) > 1:
            share = counts[self._processes.rank] / sum(counts)
            gradients = [p.grad for p in self._trained.values() if p.grad is not None]
            self._processes.add(gradients, share)
            self._statistics.average(share)

    def _losses(self, batch: Batch) -> LossParts:
        images, labels = paddle.to_tensor(batch.images), paddle.to_tensor(batch.labels)
        with self._precision():
            outputs = self._network(images)
        # The loss sorts and sums over all pixels: in single precision always.
        return self._loss(tuple(output.astype(images.dtype) for output in outputs), labels)

    def _precision(self) -> AbstractContextManager[Any]:
        kind = self._recipe.train.amp
        return nullcontext() if kind == "off" else paddle.amp.auto_cast(dtype=_AMP[kind])

    def _apply(self) -> None:
        if self.scaler is not None:  # steps over gradients that overflowed, and scales less
            self.scaler.unscale_(self._optimizer)
            clip_gradients(self._trained, self._recipe.optimizer.clip_norm)
            self.scaler.step(self._optimizer)
            self.scaler.update()
            return
        clip_gradients(self._trained, self._recipe.optimizer.clip_norm)
        self._optimizer.step()

    def _update_average(self, iteration: int) -> None:
        if not self.average:
            return
        # The first steps weigh more, so that the first weights are soon forgotten.
        keep = min(self._recipe.train.average, (1 + iteration) / (10 + iteration))
        with paddle.no_grad():
            for path, tensor in self._network.state_dict().items():
                kept = self.average[path]
                kept.set_value(kept * keep + tensor * (1 - keep))


def _means(counts: Sequence[int], losses: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of the processes' losses, weighted by their pictures."""
    if len(losses) == 1:
        return losses[0]
    return {
        name: sum(n * one[name] for n, one in zip(counts, losses, strict=True)) / sum(counts)
        for name in losses[0]
    }


def clip_gradients(parameters: dict[str, Any], bound: float) -> None:
    """Scale all gradients so that their common norm is at most `bound`, as torch does; 0 is none.

    Paddle's own clipping acts on each parameter group alone.
    """
    gradients = [p.grad for p in parameters.values() if p.grad is not None]
    if not bound or not gradients:
        return
    with paddle.no_grad():
        norm = paddle.add_n([(gradient * gradient).sum() for gradient in gradients]).sqrt()
        factor = (bound / (norm + 1e-6)).clip(max=1.0)
        for gradient in gradients:
            gradient.set_value(gradient * factor)


def require_mixed_precision(kind: str) -> None:
    """Refuse mixed precision where the device would not compute it.

    Raises:
        InputError: saying why, and what to set.
    """
    device = paddle.get_device()
    if device.startswith("gpu"):
        if kind == "bf16" and not paddle.amp.is_bfloat16_supported():
            raise InputError(f"the {device} computes no bfloat16; set train.amp='fp16', or 'off'")
        return
    raise InputError(
        f"train.amp={kind!r} needs a GPU, this process computes on the {device}: there Paddle "
        "ignores auto_cast, with a warning, and stays in float32; set train.amp='off'"
    )
