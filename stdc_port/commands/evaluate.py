"""``stdc-seg evaluate``: IoU of every class."""

from __future__ import annotations

from pathlib import Path

import click

from converters.command_line import common_options
from stdc_port.commands.options import (
    MODELS,
    PATH,
    chosen_recipe,
    recipe_options,
    show_result,
    told,
)


@click.command("evaluate")
@click.option("--weights", required=True, type=PATH, help="A trained .pdparams file.")
@click.option("--data", required=True, type=PATH, help="A Cityscapes folder.")
@click.option("--split", default="val", show_default=True, type=click.Choice(["train", "val"]))
@click.option("--model", type=MODELS, help="Default: the recipe's.")
@recipe_options("generated")
@common_options
def evaluate_command(
    weights: Path,
    data: Path,
    split: str,
    model: str | None,
    recipe: str,
    overrides: tuple[str, ...],
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Print the IoU of every class, and their mean."""
    with told():
        from stdc_port.training.evaluate import load_network
        from stdc_port.training.jobs import checked_pairs, evaluate

        plan = chosen_recipe(recipe, overrides, model)
        (pairs,) = checked_pairs(data, (split,), quiet=quiet)
        network = load_network(weights, plan.model)
        show_result(evaluate(network, plan, pairs, None, quiet=quiet), json_path, quiet=quiet)
