"""``stdc-seg predict``: pictures in the colours of their classes."""

from __future__ import annotations

from pathlib import Path

import click

from converters.command_line import common_options, progress_bar, write_json
from stdc_port.commands.options import MODELS, PATH, told


@click.command("predict")
@click.argument("source", type=PATH)
@click.option("--weights", required=True, type=PATH, help="A trained .pdparams file.")
@click.option("--output", "-o", required=True, type=PATH, help="Folder for the overlays.")
@click.option("--model", default="stdc1", show_default=True, type=MODELS)
@click.option("--scale", default=1.0, show_default=True, type=click.FloatRange(min=0.05))
@common_options
def predict_command(
    source: Path,
    weights: Path,
    output: Path,
    model: str,
    scale: float,
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Lay the classes of every picture in SOURCE over it, in Cityscapes' colours."""
    with told():
        from stdc_port.training import evaluate
        from stdc_port.training.augmentation import IMAGENET

        images = evaluate.find_images(source)
        network = evaluate.load_network(weights, model)
        with progress_bar("predicting", len(images), quiet=quiet) as advance:
            written = evaluate.predict_folder(
                network, images, output, scale=scale, normalisation=IMAGENET, advance=advance
            )
        if json_path is not None:
            write_json(json_path, {"overlays": [str(path) for path in written]})
    if not quiet:
        click.echo(f"{len(written)} overlays in {output}")
