"""``stdc-seg evaluate``: IoU of every class."""

from __future__ import annotations

from pathlib import Path

import click

from converters.command_line import common_options, progress_bar
from stdc_port.commands.options import (
    MODELS,
    PATH,
    part,
    recipe_options,
    run_recipe,
    show_result,
    told,
    views,
    write_figures,
)

EXAMPLES = """
\b
Examples:
  stdc-seg evaluate --weights runs/mine/model.pdparams --data DIR -o figures
  stdc-seg evaluate --weights FILE --data DIR --flip --scales 0.5,0.75,1.0
  stdc-seg evaluate --weights FILE --data DIR --part 1/2 --json 1.json
  stdc-seg combine 1.json 2.json

\b
Exit codes: 0 done; 2 could not be done.
"""


@click.command("evaluate", epilog=EXAMPLES)
@click.option("--weights", required=True, type=PATH, help="A trained .pdparams file.")
@click.option("--data", required=True, type=PATH, help="A Cityscapes folder.")
@click.option("--split", default="val", show_default=True, type=click.Choice(["train", "val"]))
@click.option("--model", type=MODELS, help="Default: the recipe's.")
@views
@click.option("--part", metavar="K/N", callback=part, help="Every N-th picture from the K-th on.")
@click.option("--output", "-o", type=PATH, help="Folder for evaluation.json, confusion.csv, .png.")
@recipe_options(None, "the run's")
@common_options
def evaluate_command(
    weights: Path,
    data: Path,
    split: str,
    model: str | None,
    scales: tuple[float, ...] | None,
    flip: bool,
    part: tuple[int, int],
    output: Path | None,
    recipe: str | None,
    overrides: tuple[str, ...],
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Print the IoU of every class, and their mean.

    Scale and normalisation are those of the recipe that lies beside the weights, if there is one.
    Of several scales or mirrored pictures the probabilities are summed.
    """
    with told():
        from stdc_port.training.cityscapes import find_pairs
        from stdc_port.training.evaluate import evaluate, part_of
        from stdc_port.training.inference import load_network
        from stdc_port.training.parts import Part, origin_of

        plan = run_recipe(weights, recipe, overrides, model)
        whole = find_pairs(data, split)
        pairs = part_of(whole, *part)
        network = load_network(weights, plan.model, plan.variant)
        with progress_bar("evaluating", len(pairs), quiet=quiet) as advance:
            found = evaluate(
                network,
                pairs,
                scale=scales or plan.evaluation.scale,
                flip=flip,
                normalisation=plan.data.normalisation(),
                advance=advance,
            )
        result = Part(found, origin_of(weights, whole, part))
        if output is not None:
            write_figures(output, result)
        show_result(result, json_path, quiet=quiet)
