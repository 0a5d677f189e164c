"""``stdc-seg cityscapes``: all steps from a torch checkpoint to figures."""

from __future__ import annotations

from pathlib import Path

import click

from converters.command_line import common_options
from stdc_port.commands.options import (
    MODELS,
    PATH,
    chosen_recipe,
    device_numbers,
    recipe_options,
    show_result,
    told,
)

EXAMPLE = """
\b
Example:
  stdc-seg cityscapes --cityscapes DIR --weights STDCNet813M_73.91.tar
"""


@click.command("cityscapes", epilog=EXAMPLE)
@click.option("--cityscapes", "data", type=PATH, help="Folder; default: generated scenes.")
@click.option("--weights", type=PATH, help="Torch checkpoint; default: a small one made here.")
@click.option("--model", type=MODELS, help="Default: the recipe's.")
@click.option(
    "--devices", callback=device_numbers, help="GPUs that train together, as 0,1,2; default: one."
)
@click.option("--output", "-o", default="runs/cityscapes", show_default=True, type=PATH)
@recipe_options(None)
@common_options
def cityscapes_command(
    data: Path | None,
    weights: Path | None,
    model: str | None,
    devices: tuple[str, ...],
    output: Path,
    recipe: str | None,
    overrides: tuple[str, ...],
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Convert a torch checkpoint, prove it, fine-tune it in Paddle and evaluate it.

    With nothing given, everything is made here: a generated set and a small torch checkpoint.
    """
    if weights is None and model == "stdc2":
        raise click.UsageError("--model stdc2 needs --weights; the checkpoint made here is stdc1's")
    chosen = recipe or (f"{model or 'stdc1'}_seg50" if data else "generated")
    with told():
        from stdc_port.training.pipeline import run_pipeline

        plan = chosen_recipe(chosen, overrides, model)
        outcome = run_pipeline(
            plan, output, data=data, weights=weights, devices=devices, quiet=quiet
        )
        show_result(outcome, json_path, quiet=quiet)
