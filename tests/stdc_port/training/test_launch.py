"""Paddle's own launcher, and the command that starts it."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from converters import InputError
from stdc_port.paddle_nets import build
from stdc_port.training import launch
from stdc_port.training.checkpoints import Checkpoints
from stdc_port.training.launch import LOGS, finetune_on
from stdc_port.training.recipe import Recipe
from stdc_port.training.runlog import LOG, read_log
from stdc_port.training.state import network_arrays, save_weights
from stdc_port.training.stops import StoppedError


def test_the_launcher_starts_what_trains_together(
    scenes: Path, small_recipe: Recipe, tmp_path: Path
) -> None:
    weights, folder = tmp_path / "first.pdparams", tmp_path / "run"
    save_weights(weights, network_arrays(build("stdc1-seg")))
    recipe = replace(small_recipe, train=replace(small_recipe.train, batch_size=4))
    result = finetune_on(("0", "1"), recipe, scenes, folder, weights)
    assert result.images == 2
    state = Checkpoints(folder).newest().state
    assert state is not None
    assert (state.iteration, len(state.random)) == (4, 2)
    assert "loss" in read_log(folder / LOG)[0]
    assert {f"workerlog.{rank}" for rank in (0, 1)} <= {
        file.name for file in (folder / LOGS).iterdir()
    }


def test_a_failed_process_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"exit code 3; .*workerlog"):
        launch._wait([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)


def test_a_signal_is_handed_on(tmp_path: Path) -> None:
    """The child asks for the signal that it then gets."""
    code = (
        "import os, signal, sys; signal.signal(15, lambda *_: sys.exit(15)); "
        f"os.kill({os.getpid()}, 15); signal.pause()"
    )
    with pytest.raises(StoppedError, match="nothing was trained yet") as stopped:
        launch._wait([sys.executable, "-c", code], tmp_path)
    assert stopped.value.signal == signal.SIGTERM
