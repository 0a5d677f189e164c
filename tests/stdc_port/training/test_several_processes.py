"""Trainings of two processes: killed, stopped, failing in one of them, and gone on with."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from several import ITERATIONS, ends, start, tiny_recipe

from converters import InputError
from stdc_port.training.batches import Batch
from stdc_port.training.checkpoints import Checkpoints
from stdc_port.training.jobs import finetune
from stdc_port.training.recipe import Recipe
from stdc_port.training.runlog import LOG, read_log
from stdc_port.training.state import TrainingState
from stdc_port.training.step import Stepper
from stdc_port.training.stops import StoppedError
from stdc_port.training.trainer import Trainer

FATE_AT = 2


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return tiny_recipe("train.batch_size=4", "train.checkpoint_every=2", "train.evaluate_every=2")


def run(scenes: Path, folder: Path, recipe: Recipe, fate: str = "") -> None:
    """Fine-tune as the command does; something may happen to the second process on the way."""
    if fate and os.environ["PADDLE_TRAINER_ID"] == "1":
        _await(FATES[fate])
    with (folder / f"told{os.environ['PADDLE_TRAINER_ID']}").open("a") as told:
        sys.stderr = told
        try:
            finetune(recipe, scenes, folder, None, resume="auto")
        except StoppedError as stopped:
            print(stopped, file=told)
            sys.exit(0)
        except InputError as error:
            print(error, file=told)
            sys.exit(2)


def _await(fate: Callable[[Batch], None]) -> None:
    """Let it happen in the middle of the third step."""
    backward, steps = Stepper._backward, count()

    def step(self: Stepper, batch: Batch) -> dict[str, float]:
        if next(steps) == FATE_AT:
            fate(batch)
        return backward(self, batch)

    Stepper._backward = step  # type: ignore[method-assign]


def _killed(_: Batch) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stopped(_: Batch) -> None:
    for _again in range(3):  # as often as the launcher says it
        signal.raise_signal(signal.SIGTERM)


def _spoilt(batch: Batch) -> None:
    batch.images[:] = np.nan


FATES = {"killed": _killed, "stopped": _stopped, "spoilt": _spoilt}


def _newest(folder: Path) -> TrainingState:
    found = Checkpoints(folder).newest()
    assert not found.damaged
    assert found.state is not None
    return found.state


@pytest.fixture(scope="module")
def whole(scenes: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    assert ends(start(2, run, scenes, folder, recipe)) == [0, 0]
    return folder


def test_the_first_process_writes_what_all_did(whole: Path) -> None:
    steps = [line for line in read_log(whole / LOG) if "loss" in line]
    assert [line["iteration"] for line in steps] == list(range(ITERATIONS))
    assert {"model.pdparams", "best.pdparams", "evaluation.json"} <= {
        file.name for file in whole.iterdir()
    }
    assert json.loads((whole / "evaluation.json").read_text())["images"] == 2
    state = _newest(whole)
    assert (state.iteration, len(state.random)) == (ITERATIONS, 2)
    told = [(whole / f"told{rank}").read_text() for rank in (0, 1)]
    assert "each of the 2 processes normalises" in " ".join(told[0].split())
    assert "Parameter groups" in told[0]
    assert "Parameter groups" not in told[1]


def test_the_first_step_is_that_of_accumulated_parts(
    whole: Path, scenes: Path, recipe: Recipe, tmp_path: Path
) -> None:
    """Of the very samples that one process takes."""
    one = replace(recipe, train=replace(recipe.train, accumulate=2, iterations=2))
    assert ends(start(1, run, scenes, tmp_path, one)) == [0]
    ours, theirs = (
        next(line for line in read_log(folder / LOG) if "loss" in line)
        for folder in (whole, tmp_path)
    )
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-6)


def test_killed_and_resumed_it_ends_bit_identical(
    whole: Path, scenes: Path, recipe: Recipe, tmp_path: Path
) -> None:
    # The first one notices by itself, without a launcher.
    assert ends(start(2, run, scenes, tmp_path, recipe, "killed")) == [2, -signal.SIGKILL]
    assert "another process of this training is gone" in (tmp_path / "told0").read_text()
    assert _newest(tmp_path).iteration == FATE_AT
    assert ends(start(2, run, scenes, tmp_path, recipe)) == [0, 0]
    ours, theirs = _newest(tmp_path), _newest(whole)
    assert ours.random == theirs.random
    assert ours.best == theirs.best
    arrays, wanted = ours.arrays(), theirs.arrays()
    assert arrays.keys() == wanted.keys()
    assert all(arrays[key].tobytes() == wanted[key].tobytes() for key in wanted)


def test_asked_to_stop_in_one_all_stop(scenes: Path, recipe: Recipe, tmp_path: Path) -> None:
    assert ends(start(2, run, scenes, tmp_path, recipe, "stopped")) == [0, 0]
    assert _newest(tmp_path).iteration == FATE_AT + 1
    for rank in (0, 1):
        told = (tmp_path / f"told{rank}").read_text()
        assert f"stopped by SIGTERM after iteration {FATE_AT + 1}" in told
    # Another number of processes goes on, and is told what that means.
    assert "written by 2 processes and 1 go on" in Trainer(recipe, tmp_path, None).resume()


def test_a_failure_in_one_ends_all(scenes: Path, recipe: Recipe, tmp_path: Path) -> None:
    assert ends(start(2, run, scenes, tmp_path, recipe, "spoilt")) == [2, 2]
    told = (tmp_path / "told0").read_text()
    assert "process 1: iteration 2: the gradients" in told
    assert "the pictures hold it before any layer" in told
    assert (tmp_path / "nonfinite-000000002-process1.npz").is_file()
    assert _newest(tmp_path).iteration == FATE_AT
