"""A fine-tuning on several devices: Paddle's launcher, started and waited for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from converters import InputError
from converters.command_line import write_json
from converters.files import made_folder
from stdc_port.training.checkpoints import Checkpoints
from stdc_port.training.jobs import EVALUATION, Resume
from stdc_port.training.metrics import Evaluation
from stdc_port.training.recipe import Recipe
from stdc_port.training.stops import StoppedError, stop_request

LOGS, ASKED = "launch", "asked.json"
_PROGRAM = Path(__file__).with_name("__main__.py")


def finetune_on(
    devices: tuple[str, ...],
    recipe: Recipe,
    data: Path,
    folder: Path,
    weights: Path,
    *,
    resume: Resume = "no",
    quiet: bool = False,
) -> Evaluation:
    """Train as `jobs.finetune` does, by one process for each device.

    Args:
        devices: numbers of the GPUs; a build without GPUs takes as many processes on the CPU.
        recipe: as for `jobs.finetune`, like all that follows.
        data: a Cityscapes folder.
        folder: of the run; the processes' own logs are in its `launch`.
        weights: with which the training begins.
        resume: whether to go on.
        quiet: print nothing.

    Raises:
        InputError: a process failed; its reason stands above, and in its log.
        StoppedError: a signal asked to stop; all processes were told.
    """
    made_folder(folder)
    write_json(folder / ASKED, recipe.to_json())
    training = ["--data", data, "--init", weights, "-o", folder, "--recipe", folder / ASKED]
    options = ["--resume", resume, *(["--quiet"] if quiet else [])]
    place = ["--log_level", "ERROR", "--log_dir", folder / LOGS, *_places(devices)]
    launcher = [sys.executable, "-m", "paddle.distributed.launch"]
    _wait([str(word) for word in (*launcher, *place, _PROGRAM, *training, *options)], folder)
    return Evaluation.from_json(json.loads((folder / EVALUATION).read_text(encoding="utf-8")))


def has_gpus() -> bool:
    """Whether this build of Paddle computes on GPUs."""
    import paddle

    return bool(paddle.is_compiled_with_cuda())


def _places(devices: tuple[str, ...]) -> list[str]:
    if has_gpus():
        return ["--devices", ",".join(devices)]
    return ["--nproc_per_node", str(len(devices))]


def _wait(command: list[str], folder: Path) -> None:
    """Run the launcher to its end; a signal is handed on, and its processes save their state."""
    told = False
    with stop_request() as stop:  # before it begins: a signal in between would leave it alone
        # In a session of its own, so that Ctrl-C reaches it once, through this process.
        process = subprocess.Popen(command, start_new_session=True)  # noqa: S603
        while process.poll() is None:
            if stop.number is not None and not told:
                process.terminate()
                told = True
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        if stop.number is not None:
            newest = next(iter(Checkpoints(folder).paths()), None)
            left = f"{newest} holds all" if newest else "nothing was trained yet"
            raise StoppedError(stop.number, f"stopped; {left}, go on with the same command")
    if process.returncode:
        raise InputError(
            f"the training ended with exit code {process.returncode}; what each process said is in "
            f"{folder / LOGS}/workerlog.*"
        )
