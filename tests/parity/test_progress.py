"""Whoever waits is told what a check is at: on a terminal alone, and not with --quiet."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import backward_toys as toys
import pytest
from test_training import plan

from parity import check_parity
from parity.progress import doing, listening, tell

LINE = ["--torch", "parity_toys:torch_model", "--paddle", "parity_toys:paddle_model"]


def test_every_phase_layer_and_step_is_told() -> None:
    told: list[str] = []
    with listening(told.append):
        check_parity(
            toys.torch_cell(), toys.PaddleCell(), toys.images(), checks=("backward", "train"),
            training=plan(), steps=2, isolation="always",
        )  # fmt: skip
    for dtype in ("float32", "float64"):
        assert f"{dtype}, forward and backward: stem" in told
        assert f"{dtype}, forward and backward: gradient of stem" in told
        assert f"{dtype}, training: step 2 of 2" in told
    assert "own errors: stem" in told


def test_nobody_listens_unless_asked() -> None:
    told: list[str] = []
    tell("nobody")
    with listening(told.append), doing("this", "that"):
        tell("now")
    tell("nobody")
    assert told == ["this, that", "this, that: now"]


@pytest.mark.parametrize(("quiet", "shown"), [([], True), (["--quiet"], False)])
def test_a_terminal_shows_it(quiet: list[str], shown: bool) -> None:
    ours, theirs = pty.openpty()
    here = Path(__file__).parent
    subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-m", "parity", *LINE, "--size", "33x40", *quiet],
        cwd=here, stdout=subprocess.DEVNULL, stderr=theirs, check=True, timeout=120,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    text = b""
    # Linux ends a terminal whose other side is closed with an error.
    try:
        while more := os.read(ours, 65536):
            text += more
    except OSError:
        pass
    os.close(ours)
    assert ("loading both networks" in text.decode(errors="replace")) is shown
