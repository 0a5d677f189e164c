"""Processes of commands: fresh ones, or forked from one that has their modules loaded.

Most of a short command's time is the loading of two frameworks. Forked, it is killed at its work.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from victims import SCRATCH, Ended, Victim

ROOT = Path(__file__).parents[2]
TOYS = ROOT / "tests" / "parity"
ERRORS = "errors.txt"
# What takes so many seconds is taken to hang, and so told.
LONGEST, HANGS = 120, 999


@dataclass(frozen=True)
class Running:
    """A process that runs.

    Attributes:
        pid: of it.
        wait: waits for it, so many seconds at most where any are given; gives its exit code, None
            where it still runs.
        errors: what it says on stderr so far.
    """

    pid: int
    wait: Callable[[float | None], int | None]
    errors: Callable[[], str]

    def end(self, after: float | None = None, number: signal.Signals | None = None) -> Ended | None:
        """Wait, then send a signal, if any; None if the process had ended before it."""
        if number is not None:
            if self.wait(after) is not None:
                return None
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:  # ended just now; who it was forked from has taken note
                return None
        code = self.wait(LONGEST)
        if code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(None)
            return Ended(HANGS, self.errors())
        return Ended(code, self.errors())


def start(victim: Victim, folder: Path, *, fresh: bool) -> Running:
    """Start a command in a folder.

    Args:
        victim: the command.
        folder: where it runs.
        fresh: load everything anew.
    """
    (folder / SCRATCH).mkdir(exist_ok=True)
    log = folder.with_name(f"{folder.name}-{ERRORS}")
    log.unlink(missing_ok=True)
    if fresh or not victim.modules:
        return _fresh(victim, folder, log)
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(victim.modules))
    process = context.Process(target=become, args=(victim.words, folder, log))
    process.start()
    while not log.exists() and process.exitcode is None:
        time.sleep(0.001)

    def wait(seconds: float | None) -> int | None:
        process.join(seconds)
        code: int | None = process.exitcode
        return code

    return Running(process.pid, wait, log.read_text)


def _fresh(victim: Victim, folder: Path, log: Path) -> Running:
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-W", "ignore", "-m", *victim.words],
            cwd=folder,
            env={**os.environ, **surroundings(folder), "PYTHONPATH": f"{ROOT}:{TOYS}"},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            preexec_fn=hear,  # noqa: PLW1509 - there is one thread
        )

    def wait(seconds: float | None) -> int | None:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    return Running(process.pid, wait, log.read_text)


def surroundings(folder: Path) -> Mapping[str, str]:
    """Return what a victim's environment has of its own."""
    return {"OMP_NUM_THREADS": "1", "TMPDIR": str(folder / SCRATCH)}


def hear() -> None:
    """Hear Ctrl-C; a process that a shell started in the background is born deaf to it.

    And forget the handler of what the process was forked from, which has loaded Paddle.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def become(words: tuple[str, ...], folder: Path, log: Path) -> None:
    """Be a command, as `python -m` would."""
    hear()
    os.chdir(folder)
    os.environ.update(surroundings(folder))
    sys.path[:0] = [str(ROOT), str(TOYS)]
    sys.argv = list(words)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())  # type: ignore[union-attr]
    made = os.open(log.with_suffix(".begun"), os.O_WRONLY | os.O_CREAT)
    os.dup2(made, sys.__stderr__.fileno())  # type: ignore[union-attr]
    log.with_suffix(".begun").rename(log)
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        # As Python ends where nothing else catches it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
