"""Files of a run: written beside their place, read back, and only then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from converters.errors import InputError

_FORMAT = 1


@dataclass(frozen=True)
class TrainingState:
    """All that a training needs to go on as if it had never stopped.

    Attributes:
        iteration: the next one.
        network: parameters and buffers by path.
        loss: parameters of the loss by path.
        velocity: momentum by the parameter's path, not by Paddle's running names, which differ
            from process to process.
        recipe: as plain values.
        source: the file of the first weights, '' for none.
    """

    iteration: int
    network: dict[str, np.ndarray]
    loss: dict[str, np.ndarray]
    velocity: dict[str, np.ndarray]
    recipe: dict[str, Any]
    source: str


def save_state(path: Path, state: TrainingState) -> None:
    """Write a checkpoint; the one before stays until this one has been read back."""
    content = {"format": _FORMAT, **state.__dict__, "recipe": json.dumps(state.recipe)}
    write_whole(
        path,
        lambda temporary: paddle.save(content, str(temporary)),
        lambda temporary: _agrees(load_state(temporary), state),
    )


def load_state(path: Path) -> TrainingState:
    """Read a checkpoint of this project.

    Raises:
        InputError: there is none, or it is damaged.
    """
    if not path.is_file():
        raise InputError(f"{path}: no checkpoint to resume from; start without --resume")
    try:
        content = paddle.load(str(path), return_numpy=True)
        if content.pop("format") != _FORMAT:
            raise InputError(f"{path}: written by another version of this project")
        return TrainingState(**{**content, "recipe": json.loads(content["recipe"])})
    except InputError:
        raise
    except Exception as error:  # pickle raises whatever a damaged file makes it
        raise InputError(f"{path}: damaged, or no checkpoint of a training ({error})") from error


def save_weights(path: Path, network: Any) -> None:
    """Write the parameters and buffers of a network as `.pdparams`."""
    arrays = network_arrays(network)
    write_whole(
        path,
        lambda temporary: paddle.save(network.state_dict(), str(temporary)),
        lambda temporary: _same(paddle.load(str(temporary), return_numpy=True), arrays),
    )


def network_arrays(layer: Any) -> dict[str, np.ndarray]:
    """Copies of the parameters and buffers of a layer, by path."""
    return {key: np.array(value.numpy()) for key, value in layer.state_dict().items()}


def beside(path: Path) -> Path:
    """A name for a temporary file in the folder of the final one, of this process alone."""
    return path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")


def write_whole(path: Path, write: Callable[[Path], None], agrees: Callable[[Path], bool]) -> None:
    """Write a file through a temporary one that is checked before it takes the place.

    Raises:
        InputError: the file cannot be written, or reads back differently.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    try:
        write(temporary)
        if not agrees(temporary):
            raise InputError(
                f"{path}: reads back differently from what was written; disk at fault?"
            )
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def _agrees(found: TrainingState, wanted: TrainingState) -> bool:
    return found.iteration == wanted.iteration and all(
        _same(getattr(found, part), getattr(wanted, part))
        for part in ("network", "loss", "velocity")
    )


def _same(found: dict[str, Any], wanted: dict[str, np.ndarray]) -> bool:
    return found.keys() == wanted.keys() and all(
        np.array_equal(found[key], value, equal_nan=True) for key, value in wanted.items()
    )
