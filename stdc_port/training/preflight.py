"""What costs weeks when it is seen too late: told before the first step, or at the batch itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters.errors import InputError, indented
from stdc_port.spec import OHEM_SHARE
from stdc_port.training.batches import Batch
from stdc_port.training.labels import CLASS_NAMES, IGNORE, NUM_CLASSES
from stdc_port.training.recipe import Recipe, load_recipe, recipe_names

_NOISE = "two equal runs of the authors' code differed by 0.9 points: less says nothing"
_FEW = 4


@dataclass(frozen=True)
class SetFacts:
    """What a training set holds.

    Attributes:
        pixels: (19,) labelled pixels of each class.
        empty: names of the pictures that have none.
    """

    pixels: NDArray[np.int64]
    empty: tuple[str, ...]


def set_remarks(facts: SetFacts) -> list[str]:
    """What is unusual about a training set, one line each.

    Raises:
        InputError: no pixel of it is labelled.
    """
    if not facts.pixels.any():
        raise InputError("no pixel of the training set is labelled with a trained class (0-18)")
    remarks = []
    absent = [name for name, n in zip(CLASS_NAMES, facts.pixels, strict=True) if not n]
    if absent:
        remarks.append(
            f"{len(absent)} classes are in no training picture and will not be learnt: "
            + ", ".join(absent)
        )
    if facts.empty:
        remarks.append(
            f"{len(facts.empty)} training pictures have no labelled pixel, the first is "
            f"{facts.empty[0]}; they train the detail head alone"
        )
    return remarks


def recipe_remarks(recipe: Recipe, processes: int = 1) -> list[str]:
    """Where a recipe is not what it is named after, and what to expect of that, one line each.

    Args:
        recipe: with its overrides.
        processes: that train together and divide every batch.

    Raises:
        InputError: a part of a batch has too few pictures or pixels for BN or OHEM.
    """
    _require_shares(recipe, processes)
    part = recipe.train.batch_size // (processes * recipe.train.accumulate)
    n_min = ohem_minimum(recipe, processes)
    if n_min < 1:
        raise InputError(
            f"{part} pictures of {'×'.join(map(str, recipe.data.crop))} pixels are too few for "
            f"OHEM, which keeps at least one pixel of {OHEM_SHARE}; enlarge data.crop"
        )
    published = load_recipe(recipe.name) if recipe.name in recipe_names() else recipe
    return [
        *_size_remarks(recipe, published),
        *_part_remarks(recipe, published, part, n_min, processes),
    ]


def _require_shares(recipe: Recipe, processes: int) -> None:
    """Refuse a batch that several processes cannot divide among them."""
    train = recipe.train
    if processes == 1:  # the recipe looked at that itself
        return
    if train.batch_size // (processes * train.accumulate) < 2:
        raise InputError(
            f"a batch of {train.batch_size} leaves fewer than 2 pictures to each of {processes} "
            f"processes × {train.accumulate} parts, on which BN cannot be computed; enlarge "
            "train.batch_size or take fewer processes"
        )
    if train.batch_size % processes and train.sync_batch_norm != "no":
        raise InputError(
            f"a batch of {train.batch_size} does not divide among {processes} processes, which "
            "synchronised BN needs; change train.batch_size, or set train.sync_batch_norm='no'"
        )


def _size_remarks(recipe: Recipe, published: Recipe) -> list[str]:
    batch, wanted = recipe.train.batch_size, published.train.batch_size
    if batch == wanted:
        return []
    rate = published.rate.base * batch / wanted
    seen = batch * recipe.train.iterations / (wanted * published.train.iterations)
    told = (
        f"effective batch {batch}, over all processes; the recipe {recipe.name} is made for "
        f"{wanted}: its rate {published.rate.base:g} would become about {rate:.2g} (yours is "
        f"{recipe.rate.base:g}), {seen:.0%} of its pictures are seen, and its mIoU is not to be "
        f"expected; {_NOISE}"
    )
    return [told]


def _part_remarks(
    recipe: Recipe, published: Recipe, part: int, n_min: int, processes: int
) -> list[str]:
    remarks = []
    devices = published.train.devices
    wanted = published.train.batch_size // devices
    if part != wanted:
        remarks.append(
            f"BN and OHEM see {part} pictures at a time (n_min {n_min} pixels; {processes} "
            f"processes × train.accumulate={recipe.train.accumulate}), where the recipe "
            f"{recipe.name} has {wanted} (train.devices={devices}); train.accumulate=N cuts the "
            f"share of a process into N parts; {_NOISE}"
        )
    if part <= _FEW:
        remarks.append(
            f"batch norm at the 1×1 maps of the attentions sees {part} values a channel: its "
            "statistics are noisy; take a larger batch, or optimizer.freeze='norms'"
        )
    return remarks


def ohem_minimum(recipe: Recipe, processes: int = 1) -> int:
    """How many pixels OHEM keeps at least, of one part of one process's share of a batch."""
    width, height = recipe.data.crop
    part = recipe.train.batch_size // (processes * recipe.train.accumulate)
    return part * width * height // OHEM_SHARE


def batch_remarks(batch: Batch, names: list[str], n_min: int) -> list[str]:
    """What is unusual about a batch, one line each.

    Args:
        batch: about to be trained by.
        names: of its pictures.
        n_min: pixels that OHEM keeps at least.

    Raises:
        InputError: a label is neither a trained class nor 255; pictures and values are named.
    """
    counts = np.bincount(batch.labels.ravel() & 0xFFFF, minlength=IGNORE + 1)
    labelled = int(counts[:NUM_CLASSES].sum())
    if labelled + counts[IGNORE] != batch.labels.size:
        problems = [
            f"{name}: labels {values}"
            for name, labels in zip(names, batch.labels, strict=True)
            if (values := _unknown(labels))
        ]
        raise InputError(*indented(["known labels are 0-18 and 255; found", *problems]))
    if not labelled:
        return [f"every pixel is ignored, the detail head alone is trained: {', '.join(names)}"]
    if labelled < n_min:
        few = f"{labelled} labelled pixels are fewer than the {n_min} that OHEM keeps"
        return [f"{few}: ignored ones count as loss 0 among them, as in the authors' code"]
    return []


def _unknown(labels: NDArray[np.int64]) -> list[int]:
    present = np.unique(labels)
    return [int(v) for v in present if not 0 <= v < NUM_CLASSES and v != IGNORE]
