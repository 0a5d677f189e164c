"""The state of a living training taken down between two iterations, and put back."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stdc_port.training.learner import Learner
from stdc_port.training.parallel import Processes
from stdc_port.training.recipe import Recipe
from stdc_port.training.state import (
    Arrays,
    Best,
    TrainingState,
    network_arrays,
    random_state,
    restore_random_state,
)


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        iteration: the next one.
        best: the best evaluation so far.
        evaluated: the iteration of the last evaluation.
        pictures: what identifies the training set, '' before it is known.
    """

    iteration: int = 0
    best: Best | None = None
    evaluated: int = 0
    pictures: str = ""


def capture(
    learner: Learner, progress: Progress, recipe: Recipe, processes: Processes
) -> TrainingState:
    """Copy all that the training needs to go on: of every process what it has for itself."""
    scaler = learner.step.scaler
    return TrainingState(
        progress.iteration,
        network_arrays(learner.network),
        network_arrays(learner.loss),
        _velocity(learner),
        json.loads(json.dumps(recipe.to_json())),
        learner.initialisation.source,
        average={path: kept.numpy() for path, kept in learner.step.average.items()},
        pictures=progress.pictures,
        best=progress.best,
        evaluated=progress.evaluated,
        scaler={} if scaler is None else _plain(scaler.state_dict()),
        random=tuple(processes.gather(random_state())),
    )


def restore(state: TrainingState, learner: Learner, processes: Processes) -> Progress:
    """Put a state back into a learner of the same recipe.

    Processes that were not there before take the first one's random generators.

    Returns:
        How far it is.
    """
    for layer, arrays in ((learner.network, state.network), (learner.loss, state.loss)):
        tensors = layer.state_dict()
        for key, array in arrays.items():
            tensors[key].set_value(array)
    learner.optimizer.set_state_dict(
        {_velocity_key(learner.trained[path]): array for path, array in state.velocity.items()}
    )
    for path, array in state.average.items():
        learner.step.average[path].set_value(array)
    if learner.step.scaler is not None:
        learner.step.scaler.load_state_dict(state.scaler)
    known = processes.rank < len(state.random)
    restore_random_state(state.random[processes.rank if known else 0])
    learner.initialisation = replace(learner.initialisation, source=state.source)
    return Progress(state.iteration, state.best, state.evaluated, state.pictures)


def _velocity(learner: Learner) -> Arrays:
    """Momentum by path; from the first step on Paddle has tensors, before it what it was given."""
    raw = learner.optimizer.state_dict()
    return {
        path: np.array(raw[key])
        for path, parameter in learner.trained.items()
        if (key := _velocity_key(parameter)) in raw
    }


def _velocity_key(parameter: Any) -> str:
    """Paddle's name for a parameter's momentum in this process."""
    return f"{parameter.name}_velocity_0"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """A scaler's state with its one-element tensors as numbers."""
    return {key: value.item() if hasattr(value, "item") else value for key, value in values.items()}
