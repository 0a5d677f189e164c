"""The training loop."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from converters.files import write_text
from stdc_port.training.batches import Batch, TrainingSet, training_set
from stdc_port.training.cityscapes import Pair
from stdc_port.training.groups import Group
from stdc_port.training.initialise import Initialisation
from stdc_port.training.keeper import Keeper
from stdc_port.training.learner import Learner
from stdc_port.training.metrics import Evaluation
from stdc_port.training.nonfinite import NotFiniteError, keep_batch
from stdc_port.training.preflight import batch_remarks, ohem_minimum
from stdc_port.training.recipe import Recipe
from stdc_port.training.runlog import RunLog, Step
from stdc_port.training.state import Best, save_weights
from stdc_port.training.stops import StoppedError, StopRequest, stop_request
from stdc_port.training.validation import (
    Evaluate,
    InterruptedEvaluationError,
    evaluation_due,
    keep_best,
    validate,
)

WEIGHTS, RECIPE = "model.pdparams", "recipe.json"


class Trainer:
    """Fine-tunes a segmentation network by a recipe, into a folder.

    Attributes:
        recipe: what settles the run.
        folder: of the run.
        log: of the run.
        evaluation: the last one of this process.
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
        self.recipe, self.folder = recipe, folder
        self._learner = Learner(recipe, weights)
        self._keeper = Keeper(recipe, folder, self._learner)
        self._schedule = recipe.schedule()
        self.log = RunLog(folder, tell, recipe.train.log_every)
        self.evaluation: Evaluation | None = None

    @property
    def network(self) -> Any:
        """The Paddle network."""
        return self._learner.network

    @property
    def groups(self) -> tuple[Group, ...]:
        """Which parameter is trained how."""
        return self._learner.groups

    @property
    def initialisation(self) -> Initialisation:
        """Where the first weights came from."""
        return self._learner.initialisation

    @property
    def iteration(self) -> int:
        """The next one."""
        return self._keeper.progress.iteration

    @property
    def best(self) -> Best | None:
        """The best evaluation so far."""
        return self._keeper.progress.best

    def averaged(self) -> AbstractContextManager[Any]:
        """The network with its averaged weights, in evaluation mode; its own where none."""
        return self._learner.averaged()

    def resume(self, *, required: bool = True) -> str:
        """Go on from the folder's newest checkpoint that is whole; see `Keeper.resume`."""
        return self._keeper.resume(required=required)

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
        data = training_set(self.recipe, pairs)
        self._keeper.require_same_pictures(data.identity())
        self._begin()
        try:
            with stop_request() as stop:
                self._loop(data, advance, evaluate, stop)
        finally:
            self.log.end()
        save_weights(self.folder / WEIGHTS, self._learner.final_arrays())
        return self.folder / WEIGHTS

    def _begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in ((RECIPE, self.recipe), ("initialisation.json", self.initialisation)):
            text = json.dumps(content.to_json(), indent=1)
            write_text(self.folder / name, text + "\n")
        self.log.begin(self.iteration)

    def _loop(
        self,
        data: TrainingSet,
        advance: Callable[[Step], None],
        evaluate: Evaluate | None,
        stop: StopRequest,
    ) -> None:
        train = self.recipe.train
        self._learner.step.training_mode()
        self._validate(evaluate, stop)
        asked = time.perf_counter()
        threads = self.recipe.data.threads
        for batch in data.batches(self.iteration, train.iterations, threads=threads):
            step = self._train_on(batch, data, asked, time.perf_counter())
            advance(step)
            if self.iteration % train.checkpoint_every == 0:
                self._save()
            self._validate(evaluate, stop)
            self._heed(stop)
            asked = time.perf_counter()
        self._keeper.save()

    def _train_on(self, batch: Batch, data: TrainingSet, asked: float, began: float) -> Step:
        iteration = self.iteration
        rate, names = self._schedule.rate(iteration), data.names_of(iteration)
        for remark in batch_remarks(batch, names, ohem_minimum(self.recipe)):
            self.log.remark(iteration, remark)
        try:
            parts = self._learner.step(batch, iteration, rate)
        except NotFiniteError as error:
            kept = keep_batch(self.folder, iteration, batch, names, self.network)
            raise NotFiniteError(
                f"iteration {iteration}: {error}. The batch is in {kept}, the weights that it "
                "met beside it; lower rate.base or lengthen rate.warmup_iterations"
            ) from error
        seconds = time.perf_counter() - asked
        total, speed = parts.pop("total"), len(batch.images) / seconds
        step = Step(iteration, rate, total, parts, speed, began - asked, seconds)
        self._keeper.progress.iteration += 1
        self.log.step(step)
        return step

    def _validate(self, evaluate: Evaluate | None, stop: StopRequest) -> None:
        progress = self._keeper.progress
        if evaluate is None or not evaluation_due(self.recipe.train, progress):
            return
        try:
            result = validate(self._learner, evaluate, stop)
        except InterruptedEvaluationError:
            self._heed(stop)
            raise
        self.evaluation = result
        self.log.evaluation(self.iteration, result)
        keep_best(self._learner, progress, result, self.folder)
        self._save()

    def _save(self) -> None:
        self._keeper.try_to_save(lambda text: self.log.remark(self.iteration, text))

    def _heed(self, stop: StopRequest) -> None:
        if stop.number is None:
            return
        path = self._keeper.save()
        raise StoppedError(
            stop.number,
            f"stopped by {signal.Signals(stop.number).name} after iteration {self.iteration}; "
            f"{path} holds all, go on with --resume",
        )
