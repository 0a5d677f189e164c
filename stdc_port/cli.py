"""The command `stdc-seg`. Frameworks are loaded by the step that needs them."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from converters.command_line import (
    CONTEXT,
    FALLS_SHORT,
    HOLDS,
    INTERRUPTED,
    common_options,
    errors_as_exit_codes,
    progress_bar,
    show,
    write_json,
)
from stdc_port.training.stops import StoppedError

EXAMPLES = """
\b
Examples:
  stdc-seg cityscapes                                       all on generated data
  stdc-seg cityscapes --cityscapes DIR --weights STDCNet813M_73.91.tar
  stdc-seg finetune --data DIR --init converted.pdparams --recipe stdc1_seg50 -o runs/mine
  stdc-seg evaluate --data DIR --weights runs/mine/model.pdparams
  stdc-seg predict picture.png --weights runs/mine/model.pdparams -o overlays

\b
Exit codes: 0 done; 1 checked and falls short; 2 could not be done.
"""
_PATH: Any = click.Path(path_type=Path)
_MODELS = click.Choice(["stdc1", "stdc2"])


@click.group(context_settings=CONTEXT, epilog=EXAMPLES)
@click.version_option(package_name="stdc-port")
def main() -> None:
    """Train, evaluate and use STDC-Seg in Paddle, from weights that came from torch."""


def _recipe_options(default: str | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option(
                "--set",
                "overrides",
                multiple=True,
                metavar="KEY=VALUE",
                help="Change the recipe: train.batch_size=8.",
            ),
            click.option(
                "--recipe",
                default=default,
                show_default=default or "by --cityscapes",
                help="Name of a recipe, or a .toml file.",
            ),
        ):
            command = option(command)
        return command

    return add


@contextmanager
def _told() -> Iterator[None]:
    """Keep Paddle's remarks on its own build from the user, and errors to one message."""
    with warnings.catch_warnings(), errors_as_exit_codes():
        for remark in ("No ccache found", "When training, we now always track"):
            warnings.filterwarnings("ignore", message=remark)
        try:
            yield
        except StoppedError as stopped:  # its state is saved: a request to end was met
            click.echo(str(stopped), err=True)
            code = HOLDS if stopped.signal == signal.SIGTERM else INTERRUPTED
            raise SystemExit(code) from None


def _show(result: Any, json_path: Path | None, *, quiet: bool) -> None:
    if json_path is not None:
        write_json(json_path, result.to_json())
    if not quiet:
        show(result)


def _size(_: click.Context, __: click.Parameter, value: str) -> tuple[int, int]:
    width, _x, height = value.lower().replace("×", "x").partition("x")
    if not (width.isdecimal() and height.isdecimal()) or min(int(width), int(height)) < 32:
        raise click.BadParameter(f"{value!r}: expected width x height of at least 32, as 512x256")
    return int(width), int(height)


@main.command()
@click.argument("folder", type=_PATH)
@click.option("--train", default=120, show_default=True, type=click.IntRange(min=1))
@click.option("--val", default=30, show_default=True, type=click.IntRange(min=1))
@click.option("--size", default="512x256", show_default=True, callback=_size, metavar="WxH")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@common_options
def scenes(
    folder: Path, size: tuple[int, int], json_path: Path | None, quiet: bool, **counts: int
) -> None:
    """Generate street scenes in the Cityscapes layout."""
    with _told():
        from stdc_port.training.pipeline import generate
        from stdc_port.training.scenes import SceneSet

        wanted = SceneSet(width=size[0], height=size[1], **counts)
        generate(folder, wanted, quiet=quiet)
        if json_path is not None:
            write_json(json_path, {"folder": str(folder), **vars(wanted)})
    if not quiet:
        click.echo(f"{folder}: {wanted.train} training and {wanted.val} validation scenes")


@main.command()
@click.argument("target", metavar="OUT.pth", type=_PATH)
@click.option("--iterations", type=click.IntRange(min=10), help="Length; default: the demo's.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@common_options
def pretrain(
    target: Path, iterations: int | None, seed: int, json_path: Path | None, quiet: bool
) -> None:
    """Train a small STDC1 classifier in torch, on patches of generated scenes.

    It is saved in the authors' file layout. It stands in for their ImageNet checkpoint in the
    demo, and knows nothing but generated scenes.
    """
    with _told():
        from stdc_port.training.pretrain import PretrainPlan, pretrain

        plan = PretrainPlan(seed=seed, **({"iterations": iterations} if iterations else {}))
        with progress_bar("pretraining", plan.steps, quiet=quiet) as advance:
            result = pretrain(target, plan, advance=advance)
        if json_path is not None:
            write_json(
                json_path,
                {"path": str(result.path), "top1": result.top1, "classes": result.classes},
            )
    if not quiet:
        click.echo(f"{result.path}: {result.top1:.1f} % of patches from unseen scenes are right")


@main.command()
@click.option("--data", required=True, type=_PATH, help="A Cityscapes folder.")
@click.option("--init", "weights", type=_PATH, help="Converted .pdparams with the first weights.")
@click.option("--scratch", is_flag=True, help="Start from random weights instead.")
@click.option("--model", type=_MODELS, help="Default: the recipe's.")
@click.option("--output", "-o", required=True, type=_PATH, help="Folder of the run.")
@click.option(
    "--resume",
    is_flag=False,
    flag_value="must",
    default="no",
    type=click.Choice(["must", "auto", "no"]),
    help="Go on from the folder's newest whole checkpoint; auto: if there is one.",
)
@_recipe_options("generated")
@common_options
def finetune(
    data: Path,
    weights: Path | None,
    scratch: bool,
    model: str | None,
    output: Path,
    resume: Any,
    recipe: str,
    overrides: tuple[str, ...],
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Fine-tune STDC-Seg and evaluate it."""
    if (weights is None) != scratch:
        raise click.UsageError("give either --init FILE, or --scratch for random weights")
    with _told():
        from stdc_port.training.jobs import finetune

        plan = _recipe(recipe, overrides, model)
        result = finetune(plan, data, output, weights, resume=resume, quiet=quiet)
        _show(result, json_path, quiet=quiet)
    if not quiet:
        click.echo(f"weights: {output / 'model.pdparams'}")


@main.command()
@click.option("--weights", required=True, type=_PATH, help="A trained .pdparams file.")
@click.option("--data", required=True, type=_PATH, help="A Cityscapes folder.")
@click.option("--split", default="val", show_default=True, type=click.Choice(["train", "val"]))
@click.option("--model", type=_MODELS, help="Default: the recipe's.")
@_recipe_options("generated")
@common_options
def evaluate(
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
    with _told():
        from stdc_port.training.evaluate import load_network
        from stdc_port.training.jobs import checked_pairs, evaluate

        plan = _recipe(recipe, overrides, model)
        (pairs,) = checked_pairs(data, (split,), quiet=quiet)
        network = load_network(weights, plan.model)
        _show(evaluate(network, plan, pairs, None, quiet=quiet), json_path, quiet=quiet)


@main.command()
@click.argument("source", type=_PATH)
@click.option("--weights", required=True, type=_PATH, help="A trained .pdparams file.")
@click.option("--output", "-o", required=True, type=_PATH, help="Folder for the overlays.")
@click.option("--model", default="stdc1", show_default=True, type=_MODELS)
@click.option("--scale", default=1.0, show_default=True, type=click.FloatRange(min=0.05))
@common_options
def predict(
    source: Path,
    weights: Path,
    output: Path,
    model: str,
    scale: float,
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Lay the classes of every picture in SOURCE over it, in Cityscapes' colours."""
    with _told():
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


@main.command()
@click.option("--data", type=_PATH, help="A Cityscapes folder; default: generated.")
@click.option("--init", "weights", type=_PATH, help="Converted .pdparams; default: made here.")
@click.option("--seeds", default="0", show_default=True, help="Comma-separated.")
@click.option("--output", "-o", default="runs/ablation", show_default=True, type=_PATH)
@_recipe_options("generated")
@common_options
def ablation(
    data: Path | None,
    weights: Path | None,
    seeds: str,
    output: Path,
    recipe: str,
    overrides: tuple[str, ...],
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Fine-tune with and without pretrained weights, everything else equal.

    Exit code 1 when the pretrained run is not ahead for every seed.
    """
    numbers = seeds.replace(" ", "").split(",")
    if not all(number.isdecimal() for number in numbers) or len(set(numbers)) < len(numbers):
        raise click.UsageError(f"--seeds {seeds}: expected different whole numbers, as 0,1,2")
    with _told():
        from stdc_port.training.jobs import ablate
        from stdc_port.training.pipeline import prepare

        plan = _recipe(recipe, overrides, None)
        used, init = prepare(output, data=data, converted=weights, quiet=quiet)
        result = ablate(plan, used, output, init, [int(n) for n in numbers], quiet=quiet)
        _show(result, json_path, quiet=quiet)
    if not result.helps:
        raise SystemExit(FALLS_SHORT)


@main.command()
@click.option("--cityscapes", "data", type=_PATH, help="Folder; default: generated scenes.")
@click.option("--weights", type=_PATH, help="Torch checkpoint; default: a small one made here.")
@click.option("--model", type=_MODELS, help="Default: the recipe's.")
@click.option("--output", "-o", default="runs/cityscapes", show_default=True, type=_PATH)
@_recipe_options(None)
@common_options
def cityscapes(
    data: Path | None,
    weights: Path | None,
    model: str | None,
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
    with _told():
        from stdc_port.training.pipeline import run_pipeline

        plan = _recipe(chosen, overrides, model)
        outcome = run_pipeline(plan, output, data=data, weights=weights, quiet=quiet)
        _show(outcome, json_path, quiet=quiet)


def _recipe(name: str, overrides: tuple[str, ...], model: str | None) -> Any:
    from stdc_port.training.recipe import load_recipe

    chosen = (*overrides, f"model={model!r}") if model else overrides
    return load_recipe(name, chosen)


if __name__ == "__main__":
    main()
