"""The checkpoints of a run: which are kept, and which one a training goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from converters.errors import InputError
from converters.files import remove, remove_unheld
from stdc_port.training.state import TrainingState, load_state, save_state

_FOLDER, _SUFFIX = "checkpoints", ".safetensors"


@dataclass(frozen=True)
class Found:
    """The newest checkpoint that is whole.

    Attributes:
        state: what it holds; None if there is none.
        path: where it lies; None if there is none.
        damaged: newer ones that could not be read, and why.
    """

    state: TrainingState | None
    path: Path | None
    damaged: tuple[str, ...]


@dataclass(frozen=True)
class Checkpoints:
    """The folder of a run's checkpoints, one file each, named by its iteration.

    Attributes:
        run: folder of the run.
        keep: how many of the newest are kept, beside the best.
    """

    run: Path
    keep: int = 2

    def paths(self) -> list[Path]:
        """The files, the newest first."""
        found = (self.run / _FOLDER).glob(f"*{_SUFFIX}")
        return sorted((path for path in found if path.stem.isdecimal()), reverse=True)

    def path_of(self, iteration: int) -> Path:
        """The file of an iteration."""
        return self.run / _FOLDER / f"{iteration:09d}{_SUFFIX}"

    def newest(self) -> Found:
        """Read the newest checkpoint that is whole; damaged ones are passed over."""
        damaged: list[str] = []
        for path in self.paths():
            state = _read(path, damaged)
            if state is not None:
                return Found(state, path, tuple(damaged))
        return Found(None, None, tuple(damaged))

    def save(self, state: TrainingState) -> Path:
        """Write a checkpoint; only when it is in its place are superfluous ones removed.

        Raises:
            InputError: it cannot be written; all that were there stay, and the error says which.
        """
        path = self.path_of(state.iteration)
        try:
            save_state(path, state)
        except InputError as error:
            older = self.paths()
            left = f"{older[0]} is whole" if older else "there is no earlier one"
            raise InputError(f"{error}; {left}. Free the disk, then go on with --resume") from error
        best = self.path_of(state.best.iteration) if state.best else path
        # One asked to stop may have died while it wrote at an iteration that is not saved again.
        remove_unheld(path.parent)
        # A damaged file of a later iteration neither counts nor is hidden.
        for old in [old for old in self.paths() if old <= path][self.keep :]:
            if old != best:
                old.unlink(missing_ok=True)
        return path

    def clear(self) -> None:
        """Remove all of them."""
        remove(self.run / _FOLDER)


def _read(path: Path, damaged: list[str]) -> TrainingState | None:
    try:
        return load_state(path)
    except InputError as error:
        damaged.append(str(error))
        return None
