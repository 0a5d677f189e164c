"""First weights: a converted file into the segmentation network, every key accounted for."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters import Checkpoint, InputError, RefusedError, read_checkpoint

_CLASSIFIER_HEAD = re.compile(r"(conv_last|fc|bn|linear)\.")
_BACKBONE = "cp.backbone."


@dataclass(frozen=True)
class Dropped:
    """A key of the file that was not used, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class Initialisation:
    """Where the first weights came from.

    Attributes:
        source: the file; '' for none.
        loaded: keys of the network that it filled.
        dropped: keys of the file that were left.
        fresh: keys of the network that stay as they were initialised.
    """

    source: str
    loaded: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    fresh: tuple[str, ...]

    def summary(self) -> str:
        """One line."""
        if not self.source:
            return f"from scratch: {len(self.fresh)} tensors initialised at random"
        return (
            f"{self.source}: {len(self.loaded)} tensors loaded, {len(self.dropped)} dropped, "
            f"{len(self.fresh)} of the network initialised at random"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def plan_initialisation(
    source: Checkpoint, target: dict[str, tuple[int, ...]]
) -> tuple[Initialisation, dict[str, str]]:
    """Settle which key of a converted file goes where; nothing is read or changed.

    Args:
        source: a classifier (`features.…`) or a segmentation network (`cp.…`) in Paddle's layout.
        target: shapes by key of the segmentation network.

    Returns:
        The report, and the file's key by key of the network.

    Raises:
        InputError: the file is in another framework's layout.
        RefusedError: nothing matches, a backbone tensor is missing, or shapes disagree; all of
            them are listed.
    """
    name = str(source.path)
    if source.format != "pdparams":
        raise InputError(f"{name}: is a {source.format} file; convert it with stdc-convert first")
    whole = any(key.startswith("cp.") for key in source)
    pairs, dropped = {}, []
    for key in source:
        place = key if whole else _BACKBONE + key
        if not whole and _CLASSIFIER_HEAD.match(key):
            dropped.append(Dropped(key, "the classifier's own head"))
        elif place in target:
            pairs[place] = key
        else:
            dropped.append(Dropped(key, "not in the network"))
    fresh = tuple(key for key in target if key not in pairs)
    _refuse_misfits(source, target, pairs, fresh)
    return Initialisation(name, tuple(pairs), tuple(dropped), fresh), pairs


def initialise(network: Any, path: Path | None) -> Initialisation:
    """Fill a Paddle segmentation network from a converted file; None leaves it as it is.

    Raises:
        InputError: the file cannot be read or is in another layout.
        RefusedError: as `plan_initialisation`.
    """
    state = network.state_dict()
    if path is None:
        return Initialisation("", (), (), tuple(state))
    checkpoint = read_checkpoint(path)
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    report, pairs = plan_initialisation(checkpoint, shapes)
    for place, key in pairs.items():
        state[place].set_value(np.asarray(checkpoint[key].load(), np.float32))
    return report


def _refuse_misfits(
    source: Checkpoint,
    target: dict[str, tuple[int, ...]],
    pairs: dict[str, str],
    fresh: tuple[str, ...],
) -> None:
    problems = [
        f"{key}: expected {target[place]} for {place}, found {source[key].shape}"
        for place, key in pairs.items()
        if source[key].shape != target[place]
    ]
    problems += [
        f"{key[len(_BACKBONE) :]}: not in the file"
        for key in fresh
        if key.startswith(f"{_BACKBONE}features.")
    ]
    if not any(place.startswith(f"{_BACKBONE}features.") for place in pairs):
        problems = [f"no key of the backbone; the first keys are {', '.join(list(source)[:3])}"]
    if problems:
        raise RefusedError(f"{source.path}: does not fit the network (is --model right?)", problems)
