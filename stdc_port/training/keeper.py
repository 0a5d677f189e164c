"""When a training's state is written, and how one is gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from converters.errors import InputError, indented
from stdc_port.training.checkpoints import Checkpoints
from stdc_port.training.learner import Learner
from stdc_port.training.nonfinite import NotFiniteError, bad_arrays
from stdc_port.training.parallel import ALONE, Processes
from stdc_port.training.recipe import Recipe, differences
from stdc_port.training.snapshot import Progress, capture, restore
from stdc_port.training.state import TrainingState


class Keeper:
    """Writes the state of a training into its folder, and reads it from there.

    Of several processes the first one writes, and all read.

    Attributes:
        progress: how far the training is.
    """

    def __init__(
        self, recipe: Recipe, folder: Path, learner: Learner, processes: Processes = ALONE
    ) -> None:
        self._processes = processes
        self._recipe, self._folder, self._learner = recipe, folder, learner
        self._checkpoints = Checkpoints(folder, recipe.train.keep)
        self.progress = Progress()
        self._saved: tuple[int, int] | None = None

    def resume(self, *, required: bool) -> str:
        """Go on from the folder's newest checkpoint that is whole.

        Args:
            required: whether it is an error that there is none.

        Returns:
            Where the training begins, and why, in words.

        Raises:
            InputError: there is none, it was made by another recipe, or the processes do not see
                the same one.
        """
        found = self._checkpoints.newest()
        self._processes.require_same("newest checkpoint", lambda: found.path and found.path.name)
        damaged = "".join(f"passed over: {problem}\n" for problem in found.damaged)
        if found.state is None:
            if required:
                head = f"{self._folder}: no checkpoint to resume from; start without --resume"
                raise InputError(*damaged.splitlines(), head)
            return f"{damaged}no checkpoint in {self._folder}: a fresh start"
        self._require_same_recipe(found.state, found.path)
        self.progress = restore(found.state, self._learner, self._processes)
        self._saved = self._position()
        where = f"{damaged}resumed from {found.path} at iteration {self.progress.iteration}"
        return where + self._other_processes(len(found.state.random))

    def require_same_pictures(self, identity: str) -> None:
        """Refuse a training set that is another one than before.

        Raises:
            InputError: saying which.
        """
        if self.progress.pictures not in ("", identity):
            raise InputError(
                "the training set is another one than at the checkpoint "
                f"({self.progress.pictures} then, {identity} now); give the same one, or take "
                "another folder"
            )
        self.progress.pictures = identity

    def save(self) -> Path:
        """Write a checkpoint, unless that of this moment is there.

        Returns:
            Its file.

        Raises:
            NotFiniteError: an array is not finite; the last checkpoint stands.
            InputError: the disk refuses; the last checkpoint stands.
        """
        problem = self._written()
        if problem:
            raise InputError(problem)
        return self._checkpoints.path_of(self.progress.iteration)

    def try_to_save(self, warn: Callable[[str], None]) -> None:
        """Write a checkpoint that can be tried again later: a disk that refuses only warns.

        Raises:
            NotFiniteError: as `save`.
        """
        problem = self._written()
        if problem:
            warn(f"no checkpoint, the training goes on: {problem}")

    def _written(self) -> str:
        """Write a checkpoint where that is due; return why the disk refused it, if it did."""
        if self._saved == self._position():
            return ""
        state = capture(self._learner, self.progress, self._recipe, self._processes)
        _refuse_bad(state)
        problem = ""
        if self._processes.first:
            try:
                self._checkpoints.save(state)
            except InputError as error:
                problem = str(error)
        problem = str(self._processes.gather(problem)[0])
        if not problem:
            self._saved = self._position()
        return problem

    def _other_processes(self, before: int) -> str:
        now = self._processes.count
        if now == before:
            return ""
        return (
            f"\nit was written by {before} processes and {now} go on: the same pictures in every "
            "batch, but batch norm and OHEM see other shares of it, so the end is not that of a "
            "training never stopped"
        )

    def _position(self) -> tuple[int, int]:
        return self.progress.iteration, self.progress.evaluated

    def _require_same_recipe(self, state: TrainingState, path: Path | None) -> None:
        changed = differences(state.recipe, self._recipe)
        if changed:
            head = f"{path}: made by another recipe; resume with the same one, or take another"
            raise InputError(*indented([f"{head} folder", *changed]))


def _refuse_bad(state: TrainingState) -> None:
    bad = bad_arrays(state.arrays())
    if bad:
        raise NotFiniteError(
            f"iteration {state.iteration}: {len(bad)} arrays are not finite, the first is "
            f"{bad[0]}; no checkpoint was written, the last one stands"
        )
