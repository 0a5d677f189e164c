"""The log of a run: JSON lines for programs, boards for the eye."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.files import write_text
from stdc_port.training.boards import Board, boards
from stdc_port.training.metrics import Evaluation

LOG = "log.jsonl"


@dataclass(frozen=True)
class Step:
    """One iteration, as it is logged.

    Attributes:
        iteration: counted from 0.
        rate: the learning rate.
        loss: the total.
        parts: of the loss.
        images_per_second: of the whole step, waiting included.
        waited: seconds until the loader gave the batch.
        seconds: of the whole step.
    """

    iteration: int
    rate: float
    loss: float
    parts: dict[str, float]
    images_per_second: float
    waited: float
    seconds: float


class RunLog:
    """One line an iteration, evaluation or remark; curves and pictures on the boards.

    A disk that refuses a line is told once and stops no training.
    """

    def __init__(
        self, folder: Path, tell: Callable[[str], None], every: int = 1, *, writes: bool = True
    ) -> None:
        """Log into a folder.

        Args:
            folder: of the run.
            tell: told the remarks.
            every: iterations between two points of the boards' curves.
            writes: whether it does; of several processes one.
        """
        self._path, self._tell, self._failed = folder / LOG, tell, False
        self._every, self._boards, self._writes = every, dict[str, Board](), writes

    def begin(self, iteration: int) -> None:
        """Take out what a killed process logged after the checkpoint that is gone on from."""
        if not self._writes:
            return
        lines = read_log(self._path)
        kept = [json.dumps(line) + "\n" for line in lines if line["iteration"] < iteration]
        write_text(self._path, "".join(kept))
        self._boards = boards(self._path.parent, iteration)

    def end(self) -> None:
        """Write what the boards still have in memory."""
        self._draw(lambda board: board.close())
        self._boards = {}

    def step(self, step: Step) -> None:
        """Log an iteration."""
        self._write(vars(step))
        if step.iteration % self._every:
            return
        curves = {
            "loss/total": step.loss,
            **{f"loss/{name}": value for name, value in step.parts.items()},
            "rate": step.rate,
            "images_per_second": step.images_per_second,
            "waiting_share": step.waited / step.seconds,
        }
        self._scalars(curves, step.iteration)

    def evaluation(self, iteration: int, result: Evaluation) -> None:
        """Log an evaluation after so many iterations, under the last one's number."""
        figures = {"miou": result.miou, "pixel_accuracy": result.accuracy}
        self._write({"iteration": iteration - 1, "evaluation": figures})
        self._scalars(figures, iteration - 1)

    def picture(self, iteration: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """Show an (H, W, 3) RGB picture after so many iterations."""
        self._draw(lambda board: board.picture(name, pixels, iteration - 1))

    def remark(self, iteration: int, text: str) -> None:
        """Log and tell what somebody should know of an iteration."""
        self._write({"iteration": iteration, "remark": text})
        if self._writes:
            self._tell(f"iteration {iteration}: {text}")

    def _scalars(self, values: dict[str, float], iteration: int) -> None:
        def draw(board: Board) -> None:
            for name, value in values.items():
                board.scalar(name, value, iteration)

        self._draw(draw)

    def _draw(self, draw: Callable[[Board], None]) -> None:
        try:
            for board in self._boards.values():
                draw(board)
        except OSError as error:
            self._tell(f"{self._path.parent}: no more curves and pictures ({error.strerror})")
            self._boards = {}

    def _write(self, content: dict[str, Any]) -> None:
        if not self._writes:
            return
        try:
            with self._path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(content) + "\n")
        except OSError as error:
            if not self._failed:
                self._tell(f"{self._path}: cannot be written ({error.strerror}); training goes on")
            self._failed = True


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; those that a crash cut short or spoilt are left out."""
    lines = []
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(content, dict) and isinstance(content.get("iteration"), int):
            lines.append(content)
    return lines
