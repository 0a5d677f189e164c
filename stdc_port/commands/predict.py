"""``stdc-seg predict``: pictures in the colours of their classes, and label maps."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import click

from converters.command_line import common_options, progress_bar
from stdc_port.commands.options import (
    MODELS,
    PATH,
    recipe_options,
    run_recipe,
    show_result,
    told,
    views,
)

EXAMPLES = """
\b
Examples:
  stdc-seg predict street.png --weights runs/mine/model.pdparams -o predicted
  stdc-seg predict frames --weights runs/mine/model.pdparams -o predicted

\b
Exit codes: 0 done; 2 could not be done.
"""


@click.command("predict", epilog=EXAMPLES)
@click.argument("source", type=PATH)
@click.option("--weights", required=True, type=PATH, help="A trained .pdparams file.")
@click.option("--output", "-o", required=True, type=PATH, help="Folder for the predictions.")
@click.option("--model", type=MODELS, help="Default: the recipe's.")
@views
@click.option("--force", is_flag=True, help="Replace predictions of other weights or settings.")
@recipe_options(None, "the run's")
@common_options
def predict_command(
    source: Path,
    weights: Path,
    output: Path,
    model: str | None,
    scales: tuple[float, ...] | None,
    flip: bool,
    force: bool,
    recipe: str | None,
    overrides: tuple[str, ...],
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Predict the classes of a picture, or of every picture below a folder.

    Each keeps its name in three folders: overlays (Cityscapes' colours over the picture), trainIds,
    and labelIds, which Cityscapes' server takes. A run that was cut off goes on where it was.
    """
    with told():
        from stdc_port.training import prediction
        from stdc_port.training.inference import load_network, predict

        plan = run_recipe(weights, recipe, overrides, model)
        frames = prediction.find_frames(source)
        network = load_network(weights, plan.model, plan.variant)
        scale = scales or (plan.evaluation.scale,)
        normalisation = plan.data.normalisation()
        made_by = {
            "weights": sha256(weights.read_bytes()).hexdigest(),
            "source": str(source.resolve()),
            "model": plan.model,
            "variant": plan.variant,
            "normalisation": vars(normalisation),
            "scales": scale,
            "flip": flip,
        }
        prediction.claim(output, frames, made_by, force=force)
        with progress_bar("predicting", len(frames), quiet=quiet) as advance:
            result = prediction.predict_frames(
                lambda image: predict(
                    network, image, scale=scale, flip=flip, normalisation=normalisation
                ),
                frames,
                output,
                advance=advance,
            )
        show_result(result, json_path, quiet=quiet)
