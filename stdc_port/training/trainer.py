"""The training loop."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from converters.errors import InputError
from stdc_port.paddle_nets import build
from stdc_port.paddle_nets.losses import SegmentationLoss
from stdc_port.training.batches import Batch, BatchPlan, TrainingSet
from stdc_port.training.cityscapes import Pair
from stdc_port.training.groups import Group
from stdc_port.training.initialise import Initialisation, initialise
from stdc_port.training.optimizer import build_optimizer
from stdc_port.training.recipe import Recipe
from stdc_port.training.state import (
    TrainingState,
    load_state,
    network_arrays,
    save_state,
    save_weights,
)
from stdc_port.training.variance import use_unbiased_variance

CHECKPOINT, WEIGHTS, LOG, RECIPE = "last.pdstate", "model.pdparams", "log.jsonl", "recipe.json"


class NotFiniteError(InputError):
    """The loss or a gradient became NaN or infinite; the run stopped before it was applied."""


@dataclass(frozen=True)
class Step:
    """One iteration, as it is logged."""

    iteration: int
    rate: float
    loss: float
    parts: dict[str, float]
    images_per_second: float
    waited: float


class Trainer:
    """Fine-tunes a segmentation network by a recipe, into a folder.

    Attributes:
        recipe: what settles the run.
        network: the Paddle network.
        groups: which parameter is trained how.
        initialisation: where the first weights came from.
        iteration: the next one.
    """

    def __init__(self, recipe: Recipe, folder: Path, weights: Path | None) -> None:
        """Build the network and its optimizer.

        Args:
            recipe: what settles the run.
            folder: of the run.
            weights: converted file with the first weights, None for random ones.

        Raises:
            InputError: the weights cannot be read.
            RefusedError: they do not fit.
        """
        self.recipe, self.folder, self.iteration = recipe, folder, 0
        paddle.seed(recipe.train.seed)
        self.network: Any = build(f"{recipe.model}-seg")
        self._loss = SegmentationLoss()
        self.initialisation: Initialisation = initialise(self.network, weights)
        if recipe.train.unbiased_variance:
            use_unbiased_variance(self.network)
        grouped = build_optimizer(self.network, self._loss, recipe)
        self.groups: tuple[Group, ...] = grouped.groups
        self._trained = grouped.trained
        self._optimizer = grouped.optimizer
        self._schedule = recipe.schedule()

    def resume(self) -> None:
        """Go on from the folder's checkpoint.

        Raises:
            InputError: there is none, it is damaged, or it was made by another recipe.
        """
        state = load_state(self.folder / CHECKPOINT)
        if state.recipe != json.loads(json.dumps(self.recipe.to_json())):
            raise InputError(
                f"{self.folder / CHECKPOINT}: made by another recipe, kept in "
                f"{self.folder / RECIPE}; resume with the same one or take another folder"
            )
        for layer, arrays in ((self.network, state.network), (self._loss, state.loss)):
            tensors = layer.state_dict()
            for key, array in arrays.items():
                tensors[key].set_value(array)
        named = {
            f"{self._trained[path].name}_velocity_0": array
            for path, array in state.velocity.items()
        }
        self._optimizer.set_state_dict(named)
        self.iteration = state.iteration

    def train(self, pairs: tuple[Pair, ...], advance: Callable[[str], None]) -> Path:
        """Run to the recipe's last iteration, with a checkpoint now and then.

        Args:
            pairs: the training set.
            advance: told a line after every iteration.

        Returns:
            The file with the final weights.

        Raises:
            NotFiniteError: the loss or a gradient is not finite.
            InputError: the set is smaller than a batch, or the disk refuses.
        """
        data = self._training_set(pairs)
        self._begin()
        last, first = self.recipe.train.iterations, self.iteration
        asked = time.perf_counter()
        self.network.train()
        for batch in data.batches(first, last, threads=self.recipe.data.threads):
            began = time.perf_counter()
            total, parts = self._step(batch)
            ended = time.perf_counter()
            step = Step(
                self.iteration,
                self._schedule.rate(self.iteration),
                total,
                parts,
                len(batch.images) / (ended - asked),
                began - asked,
            )
            asked = ended
            self.iteration += 1
            self._record(step)
            advance(f"loss {total:.3f}  {step.images_per_second:.1f} images/s")
            if self.iteration % self.recipe.train.checkpoint_every == 0 or self.iteration == last:
                save_state(self.folder / CHECKPOINT, self._state())
        save_weights(self.folder / WEIGHTS, self.network)
        return self.folder / WEIGHTS

    def _training_set(self, pairs: tuple[Pair, ...]) -> TrainingSet:
        train, data = self.recipe.train, self.recipe.data
        try:
            plan = BatchPlan(samples=len(pairs), batch_size=train.batch_size, seed=train.seed)
        except ValueError as error:
            raise InputError(f"{error}; set train.batch_size lower") from error
        reader = data.reader()
        reader.require_room(pairs)
        return TrainingSet(
            pairs=pairs,
            plan=plan,
            augmentation=data.augmentation(),
            normalisation=data.normalisation(),
            reader=reader,
        )

    def _step(self, batch: Batch) -> tuple[float, dict[str, float]]:
        self._optimizer.set_lr(self._schedule.rate(self.iteration))
        losses = self._loss(
            self.network(paddle.to_tensor(batch.images)), paddle.to_tensor(batch.labels)
        )
        total = float(losses.total)
        if not np.isfinite(total):
            raise NotFiniteError(
                f"iteration {self.iteration}: the loss is {total}; lower rate.base or lengthen "
                f"rate.warmup_iterations. {self.folder} holds the last checkpoint"
            )
        losses.total.backward()
        self._refuse_bad_gradients()
        self._optimizer.step()
        self._optimizer.clear_grad()
        return total, {name: float(getattr(losses, name)) for name in losses._fields[1:]}

    def _refuse_bad_gradients(self) -> None:
        """One reduction over all gradients; the parameters are looked at only if it fails."""
        gradients = {path: p.grad for path, p in self._trained.items() if p.grad is not None}
        norm = paddle.add_n([gradient.abs().sum() for gradient in gradients.values()])
        if np.isfinite(float(norm)):
            return
        bad = [path for path, g in gradients.items() if not bool(paddle.isfinite(g).all())]
        raise NotFiniteError(
            f"iteration {self.iteration}: the gradients of {len(bad)} parameters are not finite, "
            f"the first is {bad[0] if bad else 'a sum'}; lower rate.base"
        )

    def _state(self) -> TrainingState:
        raw = self._optimizer.state_dict()
        velocity = {
            path: np.array(raw[key].numpy())
            for path, parameter in self._trained.items()
            if (key := f"{parameter.name}_velocity_0") in raw
        }
        return TrainingState(
            self.iteration,
            network_arrays(self.network),
            network_arrays(self._loss),
            velocity,
            json.loads(json.dumps(self.recipe.to_json())),
            self.initialisation.source,
        )

    def _begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in ((RECIPE, self.recipe), ("initialisation.json", self.initialisation)):
            text = json.dumps(content.to_json(), indent=1)
            (self.folder / name).write_text(text + "\n", encoding="utf-8")
        log = self.folder / LOG
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        kept = [line for line in lines if _iteration(line) < self.iteration]
        log.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def _record(self, step: Step) -> None:
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(step.__dict__) + "\n")


def _iteration(line: str) -> int:
    try:
        return int(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError):
        return 2**62  # a line cut short by a crash
