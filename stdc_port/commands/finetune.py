"""``stdc-seg finetune``: train by a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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

EXAMPLE = """
\b
Example:
  stdc-seg finetune --data DIR --init FILE --recipe stdc1_seg50 -o runs/mine
"""


@click.command("finetune", epilog=EXAMPLE)
@click.option("--data", type=PATH, help="A Cityscapes folder.")
@click.option(
    "--init", "weights", type=PATH, help="First weights: any file that stdc-convert reads."
)
@click.option("--scratch", is_flag=True, help="Start from random weights instead.")
@click.option("--model", type=MODELS, help="Default: the recipe's.")
@click.option("--output", "-o", type=PATH, help="Folder of the run.")
@click.option("--show-recipe", is_flag=True, help="Print the resolved recipe, and end.")
@click.option(
    "--resume",
    is_flag=False,
    flag_value="must",
    default="no",
    type=click.Choice(["must", "auto", "no"]),
    help="Go on from the folder's newest whole checkpoint; auto: if there is one.",
)
@recipe_options("generated")
@common_options
def finetune_command(
    data: Path | None,
    weights: Path | None,
    scratch: bool,
    model: str | None,
    output: Path | None,
    show_recipe: bool,
    resume: Any,
    recipe: str,
    overrides: tuple[str, ...],
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Fine-tune STDC-Seg and evaluate it."""
    if show_recipe:
        with told():
            plan = chosen_recipe(recipe, overrides, model)
            click.echo(json.dumps(plan.to_json(), indent=1))
        return
    if data is None or output is None:
        raise click.UsageError("give --data FOLDER and --output FOLDER")
    if (weights is None) != scratch:
        raise click.UsageError("give either --init FILE, or --scratch for random weights")
    with told():
        from stdc_port.training.jobs import finetune
        from stdc_port.training.parallel import is_first

        plan = chosen_recipe(recipe, overrides, model)
        result = finetune(plan, data, output, weights, resume=resume, quiet=quiet)
        if is_first():
            show_result(result, json_path, quiet=quiet)
    if not quiet and is_first():
        click.echo(f"weights: {output / 'model.pdparams'}")
