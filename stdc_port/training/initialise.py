"""First weights: any file that the converter reads into the network, every key accounted for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters import InputError, RefusedError, read_checkpoint
from converters.convert import plan_file
from converters.state_dict import converted_arrays
from stdc_port.spec import VARIANTS, Variant
from stdc_port.training.augmentation import IMAGENET, Normalisation
from stdc_port.training.nonfinite import refuse_weights

_CLASSES = re.compile(r"conv_out(16|32)?\.conv_out\.(weight|bias)")
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
        variant: whose implementation the file is of, '' if it does not say.
    """

    source: str
    loaded: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    fresh: tuple[str, ...]
    variant: str = ""

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


@dataclass(frozen=True)
class SourceWeights:
    """The tensors of a file in Paddle's layout.

    Attributes:
        path: the file.
        arrays: by key, as this project names them.
        variant: whose implementation it is of, '' if unknown.
    """

    path: Path
    arrays: Mapping[str, np.ndarray]
    variant: str


def read_weights(path: Path) -> SourceWeights:
    """Read a file of any format and naming that the converter knows; nothing of it is run.

    Raises:
        InputError: it cannot be read.
        RefusedError: it has a tensor that is unaccounted for; all of them are listed.
    """
    checkpoint = read_checkpoint(path)
    try:
        plan = plan_file(path, to="paddle")
    except InputError:
        if checkpoint.format != "pdparams":
            raise
        # Paddle's in our own names: nothing to convert.
        arrays = {key: tensor.load() for key, tensor in checkpoint.items()}
        return SourceWeights(path, arrays, checkpoint.metadata.get("variant", ""))
    # What the file lacks the converter makes; here the network has its own first values.
    made = {key for entry in plan.entries if not entry.sources for key in entry.targets}
    arrays = {key: array for key, array in converted_arrays(plan).items() if key not in made}
    return SourceWeights(path, arrays, plan.layout.variant)


def plan_initialisation(
    source: SourceWeights, target: Mapping[str, tuple[int, ...]]
) -> tuple[Initialisation, dict[str, str]]:
    """Settle which key of a file goes where; nothing is changed.

    Args:
        source: a classifier (`features.…`) or a segmentation network (`cp.…`).
        target: shapes by key of the segmentation network.

    Returns:
        The report, and the file's key by key of the network.

    Raises:
        RefusedError: nothing matches, a backbone tensor is missing, or shapes disagree; all of
            them are listed. Another number of classes is no misfit: those layers stay fresh.
    """
    whole = any(key.startswith("cp.") for key in source.arrays)
    pairs, dropped = {}, []
    for key, array in source.arrays.items():
        place = key if whole else _BACKBONE + key
        if not whole and _CLASSIFIER_HEAD.match(key):
            dropped.append(Dropped(key, "the classifier's own head"))
        elif place not in target:
            dropped.append(Dropped(key, "not in the network"))
        elif _CLASSES.fullmatch(place) and array.shape[0] != target[place][0]:
            classes = f"{array.shape[0]} classes in the file, {target[place][0]} here"
            dropped.append(Dropped(key, f"{classes}: initialised anew"))
        else:
            pairs[place] = key
    fresh = tuple(key for key in target if key not in pairs)
    _refuse_misfits(source, target, pairs, fresh)
    report = Initialisation(str(source.path), tuple(pairs), tuple(dropped), fresh, source.variant)
    return report, pairs


def initialise(
    network: Any,
    path: Path | None,
    *,
    variant: str = "authors",
    normalisation: Normalisation = IMAGENET,
) -> Initialisation:
    """Fill a Paddle segmentation network from a file; None leaves it as it is.

    Args:
        network: of the recipe.
        path: any file that `stdc-convert` reads.
        variant: of the network.
        normalisation: of the pictures that it will see.

    Raises:
        InputError: the file cannot be read.
        RefusedError: as `plan_initialisation`; or the file's variant computes something else than
            the network's, or wants other colours; or its values are no numbers.
    """
    state = network.state_dict()
    if path is None:
        return Initialisation("", (), (), tuple(state))
    source = read_weights(path)
    refuse_variant(source, variant, normalisation)
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    report, pairs = plan_initialisation(source, shapes)
    refuse_weights(path, {key: source.arrays[key] for key in pairs.values()})
    for place, key in pairs.items():
        state[place].set_value(np.asarray(source.arrays[key], np.float32))
    return report


def refuse_variant(source: SourceWeights, variant: str, normalisation: Normalisation) -> None:
    """Refuse weights that would be trained on in a network or on colours not theirs.

    Raises:
        RefusedError: naming what differs, and what to set.
    """
    if source.variant not in VARIANTS:
        return
    theirs, ours = VARIANTS[source.variant], VARIANTS[variant]
    problems = [
        f"{name}: {getattr(theirs, name)} in the file's, {getattr(ours, name)} in the recipe's"
        for name in ("pool_counts_padding", "block_bias", "arm_relu", "aux_align_corners")
        if getattr(theirs, name) != getattr(ours, name)
    ]
    if problems:
        problems.append(f"train the file's own network: --set variant={theirs.name}")
    if not _fits(normalisation, theirs):
        mean, std = list(theirs.colour_mean), list(theirs.colour_std)
        problems.append(
            f"its colours are normalised by mean {mean} and std {std}, the recipe's by "
            f"{list(normalisation.mean)} and {list(normalisation.std)}: "
            f"--set 'data.mean={mean}' --set 'data.std={std}'"
        )
    if problems:
        head = f"{source.path}: weights of the variant {theirs.name}, the recipe trains {ours.name}"
        raise RefusedError(head, problems)


def _fits(normalisation: Normalisation, variant: Variant) -> bool:
    found, wanted = (*normalisation.mean, *normalisation.std), variant.colour_mean
    return np.allclose(found, (*wanted, *variant.colour_std), atol=1e-3)


def _refuse_misfits(
    source: SourceWeights,
    target: Mapping[str, tuple[int, ...]],
    pairs: dict[str, str],
    fresh: tuple[str, ...],
) -> None:
    problems = [
        f"{key}: expected {target[place]} for {place}, found {source.arrays[key].shape}"
        for place, key in pairs.items()
        if source.arrays[key].shape != target[place]
    ]
    problems += [
        f"{key[len(_BACKBONE) :]}: not in the file"
        for key in fresh
        if key.startswith(f"{_BACKBONE}features.")
    ]
    if not any(place.startswith(f"{_BACKBONE}features.") for place in pairs):
        problems = [
            f"no key of the backbone; the first keys are {', '.join(list(source.arrays)[:3])}"
        ]
    if problems:
        raise RefusedError(f"{source.path}: does not fit the network (is --model right?)", problems)
