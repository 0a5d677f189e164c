"""Evaluations during a training: when, of which weights, and which was the best."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stdc_port.training.learner import Learner
from stdc_port.training.metrics import Evaluation
from stdc_port.training.recipe import TrainRecipe
from stdc_port.training.snapshot import Progress
from stdc_port.training.state import Best, save_weights
from stdc_port.training.stops import StopRequest

BEST_WEIGHTS = "best.pdparams"
Evaluate = Callable[[Any, Callable[[], None]], Evaluation]


class InterruptedEvaluationError(Exception):
    """An evaluation was left half-way; it is done again when the training goes on."""


def evaluation_due(train: TrainRecipe, progress: Progress) -> bool:
    """Whether the network is to be evaluated now: now and then, and at the end; never twice."""
    now_and_then = train.evaluate_every and progress.iteration % train.evaluate_every == 0
    due = bool(now_and_then) or progress.iteration == train.iterations
    return due and progress.evaluated != progress.iteration


def validate(learner: Learner, evaluate: Evaluate, stop: StopRequest) -> Evaluation:
    """Evaluate the weights that the training is for.

    Raises:
        InterruptedEvaluationError: somebody asked to stop meanwhile.
    """
    with learner.averaged() as network:
        return evaluate(network, lambda: _interrupt(stop))


def keep_best(
    learner: Learner, progress: Progress, result: Evaluation, folder: Path, *, writes: bool
) -> None:
    """Note an evaluation of this iteration; write the weights if none before was as good.

    Args:
        learner: was evaluated.
        progress: takes note of it.
        result: the evaluation.
        folder: of the run.
        writes: whether this process does.

    Raises:
        InputError: the disk refuses them.
    """
    progress.evaluated = progress.iteration
    if progress.best is None or result.miou > progress.best.miou:
        progress.best = Best(result.miou, progress.iteration)
        if writes:
            save_weights(folder / BEST_WEIGHTS, learner.final_arrays())


def _interrupt(stop: StopRequest) -> None:
    if stop.agreed():
        raise InterruptedEvaluationError
