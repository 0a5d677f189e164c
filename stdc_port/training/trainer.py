"""The training loop."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import paddle

from converters.errors import InputError
from stdc_port.paddle_nets import build
from stdc_port.paddle_nets.losses import SegmentationLoss
from stdc_port.training.batches import Batch, BatchPlan, TrainingSet
from stdc_port.training.checkpoints import Checkpoints
from stdc_port.training.cityscapes import Pair
from stdc_port.training.groups import Group
from stdc_port.training.initialise import Initialisation, initialise
from stdc_port.training.metrics import Evaluation
from stdc_port.training.nonfinite import NotFiniteError, bad_arrays, keep_batch
from stdc_port.training.optimizer import build_optimizer
from stdc_port.training.preflight import batch_remarks, ohem_minimum
from stdc_port.training.recipe import Recipe, differences
from stdc_port.training.runlog import RunLog, Step
from stdc_port.training.state import (
    Best,
    TrainingState,
    network_arrays,
    random_state,
    restore_random_state,
    save_weights,
)
from stdc_port.training.step import Stepper
from stdc_port.training.stops import StoppedError, StopRequest, stop_request
from stdc_port.training.variance import use_unbiased_variance

WEIGHTS, BEST_WEIGHTS, RECIPE = "model.pdparams", "best.pdparams", "recipe.json"
Evaluate = Callable[[Any, Callable[[], None]], Evaluation]


class Trainer:
    """Fine-tunes a segmentation network by a recipe, into a folder.

    Attributes:
        recipe: what settles the run.
        network: the Paddle network.
        groups: which parameter is trained how.
        initialisation: where the first weights came from.
        iteration: the next one.
        best: the best evaluation so far.
        evaluation: the last one of this process.
        log: of the run.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        weights: Path | None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Build the network and its optimizer.

        Args:
            recipe: what settles the run.
            folder: of the run.
            weights: file with the first weights, None for random ones.
            tell: told what somebody should know who looks at the run.

        Raises:
            InputError: the weights cannot be read.
            RefusedError: they do not fit.
        """
        self.recipe, self.folder, self.iteration = recipe, folder, 0
        self.best: Best | None = None
        self._pictures = ""
        paddle.seed(recipe.train.seed)
        self.network: Any = build(f"{recipe.model}-seg", variant=recipe.variant)
        self._loss = SegmentationLoss()
        self.initialisation: Initialisation = initialise(
            self.network,
            weights,
            variant=recipe.variant,
            normalisation=recipe.data.normalisation(),
        )
        if recipe.train.unbiased_variance:
            use_unbiased_variance(self.network)
        grouped = build_optimizer(self.network, self._loss, recipe)
        self.groups: tuple[Group, ...] = grouped.groups
        self._trained = grouped.trained
        self._optimizer = grouped.optimizer
        self._stepper = Stepper(
            self.network, self._loss, grouped.optimizer, grouped.trained, recipe
        )
        self._schedule = recipe.schedule()
        self._checkpoints = Checkpoints(folder, recipe.train.keep)
        self.log = RunLog(folder, tell, recipe.train.log_every)
        self.evaluation: Evaluation | None = None
        self._evaluated = 0
        self._saved: tuple[int, int] | None = None

    def resume(self, *, required: bool = True) -> str:
        """Go on from the folder's newest checkpoint that is whole.

        Args:
            required: whether it is an error that there is none.

        Returns:
            Where the training begins, and why, in words.

        Raises:
            InputError: there is none, or it was made by another recipe.
        """
        found = self._checkpoints.newest()
        damaged = "".join(f"passed over: {problem}\n" for problem in found.damaged)
        if found.state is None:
            if required:
                raise InputError(
                    f"{damaged}{self.folder}: no checkpoint to resume from; start without --resume"
                )
            return f"{damaged}no checkpoint in {self.folder}: a fresh start"
        changed = differences(found.state.recipe, self.recipe)
        if changed:
            head = (
                f"{found.path}: made by another recipe; resume with the same one, or take another"
            )
            raise InputError("\n  ".join([f"{head} folder", *changed]))
        self._restore(found.state)
        return f"{damaged}resumed from {found.path} at iteration {self.iteration}"

    def train(
        self,
        pairs: tuple[Pair, ...],
        advance: Callable[[Step], None],
        evaluate: Evaluate | None = None,
    ) -> Path:
        """Run to the recipe's last iteration, with a checkpoint now and then.

        Args:
            pairs: the training set.
            advance: told every iteration.
            evaluate: evaluates the network, at the end too; is given something to call between
                two pictures.

        Returns:
            The file with the final weights.

        Raises:
            NotFiniteError: the loss, a gradient or a weight is not finite.
            InputError: the set is smaller than a batch or another one than before, or the disk
                refuses the final files.
            StoppedError: SIGTERM or SIGINT came; the state is on the disk.
        """
        data = self._training_set(pairs)
        self._begin()
        try:
            with stop_request() as stop:
                self._loop(data, advance, evaluate, stop)
        finally:
            self.log.end()
        return self._write_weights()

    def _loop(
        self,
        data: TrainingSet,
        advance: Callable[[Step], None],
        evaluate: Evaluate | None,
        stop: StopRequest,
    ) -> None:
        self._evaluate(evaluate, stop)
        asked = time.perf_counter()
        for batch in self._batches(data):
            began = time.perf_counter()
            self._train_on(batch, data, asked, began, advance)
            if self._due(self.recipe.train.checkpoint_every):
                self._save()
            self._evaluate(evaluate, stop)
            self._heed(stop)
            asked = time.perf_counter()
        self._save(needed=True)

    @contextmanager
    def averaged(self) -> Iterator[Any]:
        """Yield the network with its averaged weights, in evaluation mode; its own where none."""
        tensors = self.network.state_dict()
        own = {path: tensors[path].clone() for path in self._stepper.average}
        for path, kept in self._stepper.average.items():
            tensors[path].set_value(kept)
        self.network.eval()
        try:
            yield self.network
        finally:
            for path, kept in own.items():
                tensors[path].set_value(kept)
            self._stepper.training_mode()

    def _batches(self, data: TrainingSet) -> Iterator[Batch]:
        self._stepper.training_mode()
        threads = self.recipe.data.threads
        return data.batches(self.iteration, self.recipe.train.iterations, threads=threads)

    def _train_on(
        self,
        batch: Batch,
        data: TrainingSet,
        asked: float,
        began: float,
        advance: Callable[[Step], None],
    ) -> None:
        rate, names = self._schedule.rate(self.iteration), data.names_of(self.iteration)
        for remark in batch_remarks(batch, names, ohem_minimum(self.recipe)):
            self.log.remark(self.iteration, remark)
        try:
            parts = self._stepper(batch, self.iteration, rate)
        except NotFiniteError as error:
            kept = keep_batch(self.folder, self.iteration, batch, names, self.network)
            raise NotFiniteError(
                f"iteration {self.iteration}: {error}. The batch is in {kept}, the weights that it "
                "met beside it; lower rate.base or lengthen rate.warmup_iterations"
            ) from error
        seconds = time.perf_counter() - asked
        total = parts.pop("total")
        speed = len(batch.images) / seconds
        step = Step(self.iteration, rate, total, parts, speed, began - asked, seconds)
        self.iteration += 1
        self.log.step(step)
        advance(step)

    def _due(self, every: int) -> bool:
        return bool(every) and self.iteration % every == 0

    def _evaluate(self, evaluate: Evaluate | None, stop: StopRequest) -> None:
        """Evaluate if it is due and has not been done; the best is kept."""
        train = self.recipe.train
        due = self._due(train.evaluate_every) or self.iteration == train.iterations
        if evaluate is None or not due or self._evaluated == self.iteration:
            return
        try:
            with self.averaged() as network:
                result = evaluate(network, lambda: _interrupt(stop))
        except _InterruptedError:
            self._heed(stop)
            raise
        self._evaluated, self.evaluation = self.iteration, result
        self.log.evaluation(self.iteration, result)
        if self.best is None or result.miou > self.best.miou:
            self.best = Best(result.miou, self.iteration)
            save_weights(self.folder / BEST_WEIGHTS, self._final_arrays())
        self._save()

    def _heed(self, stop: StopRequest) -> None:
        if stop.number is None:
            return
        self._save(needed=True)
        raise StoppedError(
            stop.number,
            f"stopped by {signal.Signals(stop.number).name} after iteration {self.iteration}; "
            f"{self._checkpoints.path_of(self.iteration)} holds all, go on with --resume",
        )

    def _save(self, *, needed: bool = False) -> None:
        """Write a checkpoint; one that can be tried again later only warns where it fails."""
        if self._saved == (self.iteration, self._evaluated):
            return
        state = self._state()
        bad = bad_arrays(state.arrays())
        if bad:
            raise NotFiniteError(
                f"iteration {self.iteration}: {len(bad)} arrays are not finite, the first is "
                f"{bad[0]}; no checkpoint was written, the last one stands"
            )
        try:
            self._checkpoints.save(state)
        except InputError as error:
            if needed:
                raise
            self.log.remark(self.iteration, f"no checkpoint, the training goes on: {error}")
        else:
            self._saved = (self.iteration, self._evaluated)

    def _write_weights(self) -> Path:
        save_weights(self.folder / WEIGHTS, self._final_arrays())
        return self.folder / WEIGHTS

    def _final_arrays(self) -> dict[str, Any]:
        average = {path: kept.numpy() for path, kept in self._stepper.average.items()}
        return average or network_arrays(self.network)

    def _training_set(self, pairs: tuple[Pair, ...]) -> TrainingSet:
        train, data = self.recipe.train, self.recipe.data
        names = "\n".join(pair.name for pair in pairs)
        pictures = f"{len(pairs)} pictures, {sha256(names.encode()).hexdigest()[:16]}"
        if self._pictures not in ("", pictures):
            raise InputError(
                f"the training set is another one than at the checkpoint ({self._pictures} then, "
                f"{pictures} now); give the same one, or take another folder"
            )
        self._pictures = pictures
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

    def _state(self) -> TrainingState:
        raw = self._optimizer.state_dict()
        velocity = {
            path: raw[key].numpy()
            for path, parameter in self._trained.items()
            if (key := f"{parameter.name}_velocity_0") in raw
        }
        scaler = self._stepper.scaler
        return TrainingState(
            self.iteration,
            network_arrays(self.network),
            network_arrays(self._loss),
            velocity,
            json.loads(json.dumps(self.recipe.to_json())),
            self.initialisation.source,
            average={path: kept.numpy() for path, kept in self._stepper.average.items()},
            pictures=self._pictures,
            best=self.best,
            evaluated=self._evaluated,
            scaler={} if scaler is None else _plain(scaler.state_dict()),
            random=(random_state(),),
        )

    def _restore(self, state: TrainingState) -> None:
        for layer, arrays in ((self.network, state.network), (self._loss, state.loss)):
            tensors = layer.state_dict()
            for key, array in arrays.items():
                tensors[key].set_value(array)
        self._optimizer.set_state_dict(
            {
                f"{self._trained[path].name}_velocity_0": array
                for path, array in state.velocity.items()
            }
        )
        for path, array in state.average.items():
            self._stepper.average[path].set_value(array)
        if self._stepper.scaler is not None:
            self._stepper.scaler.load_state_dict(state.scaler)
        restore_random_state(state.random[0])
        self.iteration, self.best = state.iteration, state.best
        self._pictures, self._evaluated = state.pictures, state.evaluated
        self._saved = (self.iteration, self._evaluated)
        self.initialisation = replace(self.initialisation, source=state.source)

    def _begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in ((RECIPE, self.recipe), ("initialisation.json", self.initialisation)):
            text = json.dumps(content.to_json(), indent=1)
            (self.folder / name).write_text(text + "\n", encoding="utf-8")
        self.log.begin(self.iteration)


class _InterruptedError(Exception):
    """An evaluation was left half-way; it is done again when the training goes on."""


def _interrupt(stop: StopRequest) -> None:
    if stop.number is not None:
        raise _InterruptedError


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """A scaler's state with its one-element tensors as numbers."""
    return {key: value.item() if hasattr(value, "item") else value for key, value in values.items()}
