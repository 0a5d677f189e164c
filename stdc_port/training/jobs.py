"""What the commands do, step by step: data checked, network trained, network evaluated."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from converters import InputError
from converters.command_line import progress_bar, write_json
from stdc_port.training.ablation import Ablation, Arm
from stdc_port.training.cityscapes import Pair, check_pairs, find_pairs, read_image
from stdc_port.training.curves import draw_curves
from stdc_port.training.groups import group_table
from stdc_port.training.live import training_line
from stdc_port.training.metrics import Evaluation
from stdc_port.training.preflight import SetFacts, recipe_remarks, set_remarks
from stdc_port.training.recipe import Recipe

Resume = Literal["no", "auto", "must"]
_SAMPLES = 3
EVALUATION = "evaluation.json"


def checked_pairs(
    root: Path,
    splits: Sequence[str],
    *,
    quiet: bool,
    tell: Callable[[str], None] = lambda _: None,
) -> list[tuple[Pair, ...]]:
    """The pairs of some splits, every file of which has been opened.

    Args:
        root: a Cityscapes folder.
        splits: whose pairs.
        quiet: show no progress.
        tell: told what is unusual about the training split.

    Raises:
        InputError: listing all that is wrong with the folder.
    """
    found = [find_pairs(root, split) for split in splits]
    every = [pair for pairs in found for pair in pairs]
    with progress_bar("checking the data", len(every), quiet=quiet) as advance:
        counts = check_pairs(root, every, advance=advance)
    if splits[0] == "train":
        own = counts[: len(found[0])]
        empty = (pair.name for pair, row in zip(found[0], own, strict=True) if not row.any())
        for remark in set_remarks(SetFacts(own.sum(0), tuple(empty))):
            tell(remark)
    return found


def finetune(
    recipe: Recipe,
    data: Path,
    folder: Path,
    weights: Path | None,
    *,
    resume: Resume = "no",
    quiet: bool = False,
) -> Evaluation:
    """Train by a recipe and evaluate on the validation split.

    Args:
        recipe: what settles the run.
        data: a Cityscapes folder.
        folder: of the run.
        weights: converted file with the first weights, None for random ones.
        resume: go on from the folder's checkpoint: `must`, or `auto` if there is one.
        quiet: print nothing.

    Raises:
        InputError: bad data or weights, a checkpoint that does not fit, a loss not finite.
        RefusedError: weights that do not fit the network.
        StoppedError: a signal asked to stop; the state is on the disk.
    """
    from stdc_port.training.trainer import Trainer

    console = Console(stderr=True, quiet=quiet)
    _refuse_overwriting(folder, resume)
    _refuse_several_processes()
    for remark in recipe_remarks(recipe):
        console.print(f"note: {remark}")
    train, val = checked_pairs(
        data, ("train", "val"), quiet=quiet, tell=lambda text: console.print(f"note: {text}")
    )
    trainer = Trainer(recipe, folder, weights, tell=console.print)
    if resume != "no":
        console.print(trainer.resume(required=resume == "must"))
    console.print(trainer.initialisation.summary())
    for key, reason in _dropped(trainer.initialisation.dropped):
        console.print(f"  dropped {key}: {reason}")
    console.print(group_table(trainer.groups))

    def validate(network: object, between: Callable[[], None]) -> Evaluation:
        for pair in val[:_SAMPLES]:
            trainer.log.picture(trainer.iteration, pair.name, _sample(network, recipe, pair))
            between()
        return _evaluated(network, recipe, val, lambda _: between())

    total = recipe.train.iterations
    with training_line(trainer.iteration, total, quiet=quiet) as advance:
        trainer.train(train, advance, validate)
    result = trainer.evaluation
    if result is None:  # it had come to its end before
        bar = progress_bar("evaluating", len(val), quiet=quiet)
        with trainer.averaged() as network, bar as advance_evaluation:
            result = _evaluated(network, recipe, val, advance_evaluation)
    write_json(folder / EVALUATION, result.to_json())
    console.print(f"curves: {draw_curves(folder)}")
    return result


def _refuse_several_processes() -> None:
    """Each would train alone, and write over the others' files."""
    count = os.environ.get("PADDLE_TRAINERS_NUM", "1")
    if count != "1":
        raise InputError(
            f"started as one of {count} processes by a launcher; a training runs in one process "
            "here: start it without the launcher"
        )


def _sample(network: object, recipe: Recipe, pair: Pair) -> NDArray[np.uint8]:
    """(H, W, 3) a picture with its predicted classes laid over it."""
    from stdc_port.training.inference import predict
    from stdc_port.training.prediction import overlay

    image = read_image(pair.image)
    predicted = predict(
        network,
        image,
        scale=recipe.evaluation.scale,
        normalisation=recipe.data.normalisation(),
    )
    return np.asarray(overlay(image, predicted))


def _refuse_overwriting(folder: Path, resume: Resume) -> None:
    from stdc_port.training.checkpoints import Checkpoints

    paths = Checkpoints(folder).paths()
    if resume == "no" and paths:
        raise InputError(
            f"{paths[0]}: the folder holds a training already; --resume goes on with it, "
            "another --output begins a new one"
        )


def _evaluated(
    network: object, recipe: Recipe, pairs: Sequence[Pair], advance: Callable[[str], None]
) -> Evaluation:
    from stdc_port.training import evaluate as evaluation

    return evaluation.evaluate(
        network,
        pairs,
        scale=recipe.evaluation.scale,
        normalisation=recipe.data.normalisation(),
        advance=advance,
    )


def ablate(
    recipe: Recipe,
    data: Path,
    folder: Path,
    weights: Path,
    seeds: Sequence[int],
    *,
    quiet: bool = False,
) -> Ablation:
    """Train with and without the weights for every seed."""
    arms = []
    for seed in seeds:
        seeded = replace(recipe, train=replace(recipe.train, seed=seed))
        for pretrained in (True, False):
            name = f"{'pretrained' if pretrained else 'scratch'}-seed{seed}"
            Console(stderr=True, quiet=quiet).rule(name)
            result = finetune(
                seeded,
                data,
                folder / name,
                weights if pretrained else None,
                resume="auto",
                quiet=quiet,
            )
            arms.append(Arm(seed, pretrained, result.miou, result.accuracy))
    return Ablation(tuple(arms), recipe.train.iterations, str(weights))


def _dropped(dropped: Sequence[object]) -> list[tuple[str, str]]:
    """Key and reason of every dropped tensor, those of one layer on one line."""
    lines: dict[tuple[str, str], list[str]] = {}
    for item in dropped:
        key, reason = item.key, item.reason  # type: ignore[attr-defined]
        layer, _, leaf = key.rpartition(".")
        lines.setdefault((layer, reason), []).append(leaf)
    return [(f"{layer}.({', '.join(leaves)})", why) for (layer, why), leaves in lines.items()]
