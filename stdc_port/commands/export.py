"""``stdc-seg export`` and ``stdc-seg bench``: files for others to run, and how fast they are."""

from __future__ import annotations

from pathlib import Path

import click

from converters.command_line import FALLS_SHORT, common_options, progress_bar
from stdc_port.commands.options import (
    MODELS,
    PATH,
    picture_size,
    recipe_options,
    run_recipe,
    show_result,
    told,
)
from stdc_port.export.folding import Reduction
from stdc_port.export.formats import FORMATS

EXAMPLES = """
\b
Examples:
  stdc-seg export --weights runs/mine/model.pdparams -o exported
  stdc-seg export --weights FILE -o exported --drop-heads --fold-bn --format onnx
  stdc-seg bench exported --weights FILE --threads 2

\b
Exit codes: 0 all equal; 1 one computes something else, nothing stays; 2 could not be done.
"""


@click.command("export", epilog=EXAMPLES)
@click.option("--weights", required=True, type=PATH, help="A trained .pdparams file.")
@click.option("--output", "-o", required=True, type=PATH, help="Folder for the files.")
@click.option("--model", type=MODELS, help="Default: the recipe's.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(list(FORMATS)),
    help="Repeatable; default: all that can be written here.",
)
@click.option("--drop-heads", is_flag=True, help="Leave out the heads that only training uses.")
@click.option("--fold-bn", is_flag=True, help="Fold batch norms into the convolutions before them.")
@click.option("--input", "source", type=PATH, help="Picture or folder; default: generated scenes.")
@click.option("--pictures", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--size", default="1024x512", show_default=True, callback=picture_size, metavar="WxH")
@click.option("--force", is_flag=True, help="Replace an earlier export.")
@recipe_options(None, "the run's")
@common_options
def export_command(
    weights: Path,
    output: Path,
    model: str | None,
    formats: tuple[str, ...],
    drop_heads: bool,
    fold_bn: bool,
    source: Path | None,
    pictures: int,
    size: tuple[int, int],
    force: bool,
    recipe: str | None,
    overrides: tuple[str, ...],
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Write a trained network for Paddle's inference, ONNX, torch and safetensors.

    Each file is loaded again and compared with the trained network on pictures.
    """
    with told():
        from stdc_port.export import writing
        from stdc_port.export.place import check_place
        from stdc_port.training.inference import load_network
        from stdc_port.training.prediction import find_frames

        plan = run_recipe(weights, recipe, overrides, model)
        check_place(output, force=force)
        _require(formats)
        paths = [frame.source for frame in find_frames(source)] if source else []
        inputs = writing.pictures(paths, size, plan.data.normalisation(), count=pictures)
        network = load_network(weights, plan.model, plan.variant)
        wanted = formats or tuple(FORMATS)
        with progress_bar("exporting", len(wanted), quiet=quiet) as advance:
            result = writing.export(
                network,
                plan.model,
                output,
                wanted,
                inputs,
                reduction=Reduction(drop_heads, fold_bn),
                variant=plan.variant,
                force=force,
                advance=advance,
            )
        show_result(result, json_path, quiet=quiet)
    if not result:
        raise SystemExit(FALLS_SHORT)


def _require(formats: tuple[str, ...]) -> None:
    """Refuse formats that were asked for by name and cannot be written here."""
    from converters import InputError

    for name in formats:
        if lacking := FORMATS[name].lacks():
            raise InputError(f"{name} needs {', '.join(lacking)}; pip install 'stdc-port[export]'")


@click.command("bench", epilog=EXAMPLES)
@click.argument("folder", type=PATH)
@click.option("--weights", type=PATH, help="Also time the trained network in Paddle, as it is.")
@click.option("--size", default="1024x512", show_default=True, callback=picture_size, metavar="WxH")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--runs", default=5, show_default=True, type=click.IntRange(min=1))
@common_options
def bench_command(
    folder: Path,
    weights: Path | None,
    size: tuple[int, int],
    threads: int,
    runs: int,
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Time every format of an export on one picture, the threads fixed, after a warm-up."""
    with told():
        from stdc_port.export.latency import latency
        from stdc_port.export.paddle_side import eager
        from stdc_port.export.place import read_export
        from stdc_port.export.writing import pictures
        from stdc_port.training.augmentation import IMAGENET
        from stdc_port.training.inference import load_network

        exported, names = read_export(folder)
        _require(tuple(names))
        runners = {name: FORMATS[name].load(exported, threads) for name in names}
        if weights is not None:
            network = load_network(weights, exported.model, exported.variant)
            runners["paddle, eager, as trained"] = eager(network, threads=threads)
        (picture,), _ = pictures([], size, IMAGENET, count=1)
        steps = len(runners) * (runs + 2)
        with progress_bar("timing", steps, quiet=quiet) as advance:
            result = latency(runners, picture, threads=threads, runs=runs, advance=advance)
        show_result(result, json_path, quiet=quiet)
