"""The training loop."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from converters.files import made_folder, write_text
from stdc_port.training.batches import Batch, TrainingSet, training_set
from stdc_port.training.cityscapes import Pair
from stdc_port.training.keeper import Keeper
from stdc_port.training.learner import Learner
from stdc_port.training.metrics import Evaluation
from stdc_port.training.nonfinite import NotFiniteError, keep_batch
from stdc_port.training.parallel import ALONE, Processes
from stdc_port.training.preflight import batch_remarks, ohem_minimum
from stdc_port.training.recipe import Recipe
from stdc_port.training.runlog import RunLog, Step
from stdc_port.training.state import digest, network_arrays, save_weights
from stdc_port.training.stops import StoppedError, StopRequest, stop_request
from stdc_port.training.validation import (
    Evaluate,
    InterruptedEvaluationError,
    evaluation_due,
    keep_best,
    validate,
)

WEIGHTS, RECIPE, ORIGIN = "model.pdparams", "recipe.json", "initialisation.json"


class Trainer:
    """Fine-tunes a segmentation network by a recipe, into a folder.

    Attributes:
        recipe: what settles the run.
        folder: of the run.
        learner: what is trained.
        log: of the run.
        evaluation: the last one of this process.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        weights: Path | None,
        tell: Callable[[str], None] = lambda _: None,
        processes: Processes = ALONE,
    ) -> None:
        """Build the network and its optimizer.

        Args:
            recipe: what settles the run.
            folder: of the run.
            weights: file with the first weights, None for random ones.
            tell: told what somebody should know who looks at the run.
            processes: that train it together; the first one writes.

        Raises:
            InputError: the weights cannot be read.
            RefusedError: they do not fit.
        """
        self.recipe, self.folder, self._processes = recipe, folder, processes
        self.learner = Learner(recipe, weights, processes)
        if self.learner.remark:
            tell(f"note: {self.learner.remark}")
        self._keeper = Keeper(recipe, folder, self.learner, processes)
        self._n_min = ohem_minimum(recipe, processes.count)
        self._schedule = recipe.schedule()
        self.log = RunLog(folder, tell, recipe.train.log_every, writes=processes.first)
        self.evaluation: Evaluation | None = None

    @property
    def iteration(self) -> int:
        """The next one."""
        return self._keeper.progress.iteration

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
            ElsewhereError: another process ended.
        """
        data = training_set(self.recipe, pairs, self._processes)
        self._keeper.require_same_pictures(data.identity())
        self._begin(data)
        try:
            with stop_request(self._processes) as stop:
                self._loop(data, advance, evaluate, stop)
        finally:
            self.log.end()
        if self._processes.first:
            save_weights(self.folder / WEIGHTS, self.learner.final_arrays())
        self._processes.gather(None)  # none ends before the files are there
        return self.folder / WEIGHTS

    def _begin(self, data: TrainingSet) -> None:
        same = self._processes.require_same
        same("recipe", lambda: json.dumps(self.recipe.to_json(), sort_keys=True))
        same("training set", data.identity)
        same("first weights", lambda: digest(network_arrays(self.learner.network), ""))
        if self._processes.first:
            made_folder(self.folder)
            for name, content in ((RECIPE, self.recipe), (ORIGIN, self.learner.initialisation)):
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
        self.learner.step.training_mode()
        self._validate(evaluate, stop)
        asked = time.perf_counter()
        threads = self.recipe.data.threads
        for batch in data.batches(self.iteration, train.iterations, threads=threads):
            step = self._train_on(batch, data, asked, time.perf_counter())
            advance(step)
            if self.iteration % train.checkpoint_every == 0:
                self._save()
            self._validate(evaluate, stop)
            if stop.agreed():
                self._stop(stop)
            asked = time.perf_counter()
        self._keeper.save()

    def _train_on(self, batch: Batch, data: TrainingSet, asked: float, began: float) -> Step:
        iteration = self.iteration
        rate, names = self._schedule.rate(iteration), data.names_of(iteration)
        for remarks in self._processes.gather(batch_remarks(batch, names, self._n_min)):
            for remark in remarks:
                self.log.remark(iteration, remark)
        try:
            parts = self.learner.step(batch, iteration, rate)
        except NotFiniteError as error:
            rank = self._processes.rank
            kept = keep_batch(self.folder, iteration, batch, names, self.learner.network, rank)
            raise NotFiniteError(
                f"iteration {iteration}: {error}. The batch is in {kept}, the weights that it "
                "met beside it; lower rate.base or lengthen rate.warmup_iterations"
            ) from error
        seconds = time.perf_counter() - asked
        total, speed = parts.pop("total"), self.recipe.train.batch_size / seconds
        step = Step(iteration, rate, total, parts, speed, began - asked, seconds)
        self._keeper.progress.iteration += 1
        self.log.step(step)
        return step

    def _validate(self, evaluate: Evaluate | None, stop: StopRequest) -> None:
        progress = self._keeper.progress
        if evaluate is None or not evaluation_due(self.recipe.train, progress):
            return
        try:
            result = validate(self.learner, evaluate, stop)
        except InterruptedEvaluationError:
            self._stop(stop)
        self.evaluation = result
        self.log.evaluation(self.iteration, result)
        writes = self._processes.first
        keep_best(self.learner, progress, result, self.folder, writes=writes)
        self._save()

    def _save(self) -> None:
        self._keeper.try_to_save(lambda text: self.log.remark(self.iteration, text))

    def _stop(self, stop: StopRequest) -> NoReturn:
        path, number = self._keeper.save(), signal.Signals(stop.number or signal.SIGTERM)
        raise StoppedError(
            number,
            f"stopped by {number.name} after iteration {self.iteration}; {path} holds all, go on "
            "with --resume",
        )
