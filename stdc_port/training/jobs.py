"""What the commands do, step by step: data checked, network trained, network evaluated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from converters import InputError
from converters.command_line import progress_bar, write_json
from converters.errors import printable
from stdc_port.training.ablation import Ablation, Arm
from stdc_port.training.checked import checked_pairs
from stdc_port.training.cityscapes import Pair, read_image
from stdc_port.training.curves import draw_curves
from stdc_port.training.groups import group_table
from stdc_port.training.live import training_line
from stdc_port.training.metrics import Evaluation
from stdc_port.training.parallel import Processes, started_together
from stdc_port.training.preflight import recipe_remarks
from stdc_port.training.recipe import Recipe
from stdc_port.training.run_page import write_page

if TYPE_CHECKING:
    from stdc_port.training.learner import Learner

Resume = Literal["no", "auto", "must"]
_SAMPLES = 3
EVALUATION = "evaluation.json"


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

    Started by Paddle's launcher it is one of several processes that do this together; the first
    one writes and prints.

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
    processes = started_together()
    with processes.together():
        return _finetune(
            processes,
            recipe,
            data,
            folder,
            weights,
            resume=resume,
            quiet=quiet or not processes.first,
        )


def _finetune(
    processes: Processes,
    recipe: Recipe,
    data: Path,
    folder: Path,
    weights: Path | None,
    *,
    resume: Resume,
    quiet: bool,
) -> Evaluation:
    from stdc_port.training.trainer import Trainer

    console = shown_plainly(quiet=quiet)

    def say(text: str) -> None:
        console.print(printable(text))

    def note(text: str) -> None:
        say(f"note: {text}")

    _refuse_overwriting(folder, resume)
    for remark in recipe_remarks(recipe, processes.count):
        note(remark)
    splits = ("train", "val")
    train, val = checked_pairs(data, splits, quiet=quiet, tell=note, processes=processes)
    trainer = Trainer(recipe, folder, weights, say, processes)
    if resume != "no":
        say(trainer.resume(required=resume == "must"))
    _introduce(trainer.learner, console)

    def validate(network: object, between: Callable[[], None]) -> Evaluation:
        for pair in val[:_SAMPLES]:
            if processes.first:
                trainer.log.picture(trainer.iteration, pair.name, _sample(network, recipe, pair))
            between()
        return _evaluated(processes, network, recipe, val, lambda _: between())

    total = recipe.train.iterations
    with training_line(trainer.iteration, total, quiet=quiet) as advance:
        trainer.train(train, advance, validate)
    result = trainer.evaluation
    if result is None:  # it had come to its end before
        bar = progress_bar("evaluating", len(val[:: processes.count]), quiet=quiet)
        with trainer.learner.averaged() as network, bar as advance_evaluation:
            result = _evaluated(processes, network, recipe, val, advance_evaluation)
    if processes.first:
        write_json(folder / EVALUATION, result.to_json())
        console.print(f"curves: {draw_curves(folder)}")
        console.print(f"page: {write_page(folder, recipe, result)}")
    return result


def shown_plainly(*, quiet: bool) -> Console:
    """Return what shows on stderr the names of tensors, pictures and folders as they are."""
    return Console(stderr=True, quiet=quiet, markup=False)


def _introduce(learner: Learner, console: Console) -> None:
    """Say what is trained, from which weights."""
    console.print(learner.initialisation.summary())
    for key, reason in _dropped(learner.initialisation.dropped):
        console.print(printable(f"  dropped {key}: {reason}"))
    console.print(group_table(learner.groups))


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
    processes: Processes,
    network: object,
    recipe: Recipe,
    pairs: Sequence[Pair],
    advance: Callable[[str], None],
) -> Evaluation:
    from stdc_port.training.evaluate import evaluate_together

    return evaluate_together(
        processes,
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
