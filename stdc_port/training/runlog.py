"""The JSON-lines log of a run: one line an iteration, evaluation or remark."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.files import temporary_beside
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

    def summary(self) -> str:
        """What a progress line has room for."""
        return f"loss {self.loss:.3f}  {self.images_per_second:.1f} images/s"


class RunLog:
    """Appends to the log; a disk that refuses a line is told once and stops no training."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._path, self._tell, self._failed = folder / LOG, tell, False

    def begin(self, iteration: int) -> None:
        """Take out what a killed process logged after the checkpoint that is gone on from."""
        lines = read_log(self._path)
        kept = [json.dumps(line) + "\n" for line in lines if line["iteration"] < iteration]
        with temporary_beside(self._path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")
            temporary.replace(self._path)

    def step(self, step: Step) -> None:
        """Log an iteration."""
        self._write(vars(step))

    def evaluation(self, iteration: int, result: Evaluation) -> None:
        """Log an evaluation after so many iterations, under the last one's number."""
        figures = {"miou": result.miou, "pixel_accuracy": result.accuracy}
        self._write({"iteration": iteration - 1, "evaluation": figures})

    def remark(self, iteration: int, text: str) -> None:
        """Log and tell what somebody should know of an iteration."""
        self._write({"iteration": iteration, "remark": text})
        self._tell(f"iteration {iteration}: {text}")

    def _write(self, content: dict[str, Any]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(content) + "\n")
        except OSError as error:
            if not self._failed:
                self._tell(f"{self._path}: cannot be written ({error.strerror}); training goes on")
            self._failed = True


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; those that a crash cut short are left out."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict) and isinstance(content.get("iteration"), int):
            lines.append(content)
    return lines
