"""Trainings that are killed or stopped as real processes, and gone on with.

Each begins in a process of its own, forked from one that has Paddle loaded and nothing computed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from several import CONTEXT, ITERATIONS, tiny_recipe

from stdc_port.training import state as state_module
from stdc_port.training.checkpoints import Checkpoints
from stdc_port.training.cityscapes import find_pairs
from stdc_port.training.recipe import Recipe
from stdc_port.training.stops import StoppedError
from stdc_port.training.trainer import Trainer


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return tiny_recipe("train.batch_size=2", "train.checkpoint_every=1", "train.average=0.9")


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying_in(phase: str, iteration: int) -> None:
    """Make this process kill itself in a phase of saving the checkpoint of an iteration."""
    write, whole = state_module.safetensors_file.write, state_module.write_whole

    def half(file: Any, content: Any) -> None:
        write(file, content)
        file.truncate(file.tell() // 2)
        _die()

    def save(path: Path, writing: Callable[[Path], None], agrees: Callable[[Path], bool]) -> None:
        if path.stem != f"{iteration:09d}":
            return whole(path, writing, agrees)
        if phase == "writing":
            state_module.safetensors_file.write = half  # type: ignore[assignment]
        whole(path, writing, _die if phase == "verified" else agrees)  # type: ignore[arg-type]
        return _die()

    state_module.write_whole = save


def run(scenes: Path, folder: Path, recipe: Recipe, phase: str = "", iteration: int = 0) -> None:
    """Train in this process, going on if there is something to go on from."""
    if phase:
        _dying_in(phase, iteration)
    trainer = Trainer(recipe, folder, None)
    trainer.resume(required=False)
    try:
        trainer.train(find_pairs(scenes, "train"), lambda _: None)
    except StoppedError as stopped:
        sys.exit(0 if stopped.signal == signal.SIGTERM else 128 + stopped.signal)


def start(*arguments: object) -> BaseProcess:
    process = CONTEXT.Process(target=run, args=arguments)
    process.start()
    return process


def wait_for(process: BaseProcess, there: Callable[[], bool]) -> None:
    while not there():
        process.join(0.01)
        assert process.is_alive()


@pytest.fixture(scope="module")
def whole(
    scenes: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("never-stopped")
    process = start(scenes, folder, recipe)
    process.join()
    assert process.exitcode == 0
    return _end(folder)


def _end(folder: Path) -> dict[str, np.ndarray]:
    state = Checkpoints(folder).newest().state
    assert state is not None
    assert state.iteration == ITERATIONS
    assert not list((folder / "checkpoints").glob(".*"))
    return state.arrays()


def _same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        one[key].tobytes() == other[key].tobytes() for key in one
    )


def test_killed_anywhere_it_ends_bit_identical(
    whole: dict[str, np.ndarray], scenes: Path, recipe: Recipe, tmp_path: Path
) -> None:
    for phase, iteration in (("writing", 1), ("verified", 2), ("renamed", 3)):
        process = start(scenes, tmp_path, recipe, phase, iteration)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        found = Checkpoints(tmp_path).newest()
        assert not found.damaged
        assert found.state is None or found.state.iteration == iteration - (phase != "renamed")
    random = np.random.default_rng(11)
    for _ in range(2):  # at random moments after it has begun
        process = start(scenes, tmp_path, recipe)
        process.join(float(random.uniform(0.3, 1.5)))
        process.kill()
        process.join()
        assert not Checkpoints(tmp_path).newest().damaged
    process = start(scenes, tmp_path, recipe)
    process.join()
    assert process.exitcode == 0
    assert _same(_end(tmp_path), whole)
    steps = [line for line in (tmp_path / "log.jsonl").read_text().splitlines() if '"loss"' in line]
    assert len(steps) == ITERATIONS


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_asked_to_stop_it_saves_and_ends_in_order(
    whole: dict[str, np.ndarray],
    scenes: Path,
    recipe: Recipe,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    process = start(scenes, tmp_path, recipe)
    log = tmp_path / "log.jsonl"
    wait_for(process, lambda: log.exists() and '"loss"' in log.read_text())
    os.kill(process.pid or 0, number)
    process.join()
    assert process.exitcode == code
    found = Checkpoints(tmp_path).newest()
    assert found.state is not None
    assert 0 < found.state.iteration < ITERATIONS
    if number == signal.SIGTERM:
        process = start(scenes, tmp_path, recipe)
        process.join()
        assert _same(_end(tmp_path), whole)
