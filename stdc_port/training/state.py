"""What a training consists of between two iterations, and the file that holds it.

The file is in the safetensors format: nothing of it is ever run, and any tool reads it. Its header
carries the plain values and a digest of the whole, so that a damaged file is told from a good one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from converters import read_checkpoint
from converters.dtypes import BY_NAME
from converters.errors import InputError, brief
from converters.files import made_folder, temporary_beside
from converters.formats import safetensors_file
from converters.formats.content import Content, Head

_FORMAT = "2"
Arrays = dict[str, np.ndarray]
_PARTS = ("network", "loss", "velocity", "average")


@dataclass(frozen=True)
class Best:
    """The best evaluation so far: mIoU as a share of 1, after so many iterations."""

    miou: float
    iteration: int


@dataclass(frozen=True)
class TrainingState:
    """All that a training needs to go on as if it had never stopped.

    Which pictures come next, and how they are augmented, follows from iteration, seed and the
    training set; so does the learning rate.

    Attributes:
        iteration: the next one.
        network: parameters and buffers by path.
        loss: parameters of the loss by path.
        velocity: momentum by the parameter's path, not by Paddle's running names, which differ
            from process to process.
        recipe: as plain values.
        source: the file of the first weights, '' for none.
        average: the averaged weights by path, empty where none are kept.
        pictures: what identifies the training set.
        best: the best evaluation, if there was one.
        evaluated: the iteration of the last evaluation.
        scaler: of mixed precision, empty without.
        random: the states of Paddle's random generators, one entry a process.
    """

    iteration: int
    network: Arrays
    loss: Arrays
    velocity: Arrays
    recipe: dict[str, Any]
    source: str
    average: Arrays = field(default_factory=dict)
    pictures: str = ""
    best: Best | None = None
    evaluated: int = 0
    scaler: dict[str, Any] = field(default_factory=dict)
    random: tuple[Any, ...] = ()

    def arrays(self) -> Arrays:
        """Every array by a path that begins with its part."""
        return {
            f"{part}/{key}": array for part in _PARTS for key, array in getattr(self, part).items()
        }

    def facts(self) -> dict[str, Any]:
        """All that is no array."""
        return {
            "iteration": self.iteration,
            "recipe": self.recipe,
            "source": self.source,
            "pictures": self.pictures,
            "best": None if self.best is None else vars(self.best),
            "evaluated": self.evaluated,
            "scaler": self.scaler,
            "random": self.random,
        }


def save_state(path: Path, state: TrainingState) -> None:
    """Write a checkpoint: whole and read back before it gets its name.

    Raises:
        InputError: the disk is full or refuses; what was there before stays.
    """
    arrays, facts = state.arrays(), json.dumps(state.facts())
    metadata = {"format": _FORMAT, "facts": facts, "sha256": digest(arrays, facts)}
    content = Content(
        tuple(Head(key, BY_NAME[str(a.dtype)], a.shape) for key, a in arrays.items()),
        arrays.values,
        metadata=metadata,
    )

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            safetensors_file.write(file, content)

    write_whole(path, write, _is_whole)


def load_state(path: Path) -> TrainingState:
    """Read a checkpoint of this project; nothing of it is run.

    Raises:
        InputError: there is none, or it is damaged.
    """
    checkpoint = read_checkpoint(path)
    found = checkpoint.metadata
    if "facts" not in found or found.get("format") != _FORMAT:
        raise InputError(f"{path}: no checkpoint of a training, or of another version")
    arrays = {key: tensor.load() for key, tensor in checkpoint.items()}
    if digest(arrays, found["facts"]) != found.get("sha256"):
        raise InputError(f"{path}: damaged, its digest is not that of its content")
    parts: dict[str, Arrays] = {part: {} for part in _PARTS}
    try:
        for key, array in arrays.items():
            part, _, name = key.partition("/")
            parts[part][name] = array
        facts = json.loads(found["facts"])
        best = Best(**facts.pop("best")) if facts["best"] else facts.pop("best")
        return TrainingState(**{**parts, **facts, "best": best, "random": tuple(facts["random"])})
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: no checkpoint of this project ({brief(error)})") from error


def save_weights(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write parameters and buffers by path as `.pdparams`.

    Raises:
        InputError: the disk is full or refuses; what was there before stays.
    """

    def same(temporary: Path) -> bool:
        found = read_checkpoint(temporary)
        return found.keys() == arrays.keys() and all(
            np.array_equal(found[key].load(), value, equal_nan=True)
            for key, value in arrays.items()
        )

    write_whole(path, lambda temporary: paddle.save(dict(arrays), str(temporary)), same)


def network_arrays(layer: Any) -> Arrays:
    """Copies of the parameters and buffers of a layer, by path."""
    return {key: np.array(value.numpy()) for key, value in layer.state_dict().items()}


def random_state() -> list[Any]:
    """Paddle's random generators of this process, as plain values."""
    return [_generator_facts(state) for state in paddle.get_rng_state()]


def restore_random_state(facts: Any) -> None:
    """Set Paddle's random generators of this process to what `random_state` gave."""
    kind: Any = type(paddle.get_rng_state()[0])
    states = []
    for device, seed, offset, engine in facts:
        state = kind.__new__(kind)  # one that lives already ignores a new state
        state.__setstate__((device, seed, offset, list(engine.encode())))
        states.append(state)
    paddle.set_rng_state(states)


def write_whole(path: Path, write: Callable[[Path], None], agrees: Callable[[Path], bool]) -> None:
    """Write a file through a temporary one that is checked before it takes the place.

    Raises:
        InputError: the file cannot be written, or reads back differently.
    """
    made_folder(path.parent)
    with temporary_beside(path) as temporary:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # a name that survives a power cut shall name the content
        if not agrees(temporary):
            raise InputError(
                f"{path}: reads back differently from what was written; disk at fault?"
            )
        temporary.replace(path)


def _is_whole(path: Path) -> bool:
    try:
        load_state(path)
    except InputError:
        return False
    return True


def _generator_facts(state: Any) -> list[Any]:
    device, seed, offset, engine = state.__getstate__()
    return [device, seed, offset, bytes(engine).decode()]


def digest(arrays: Arrays, facts: str) -> str:
    """What tells arrays and facts from all others: a SHA-256."""
    digest = sha256(facts.encode())
    for key, array in arrays.items():
        digest.update(f"{key} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
