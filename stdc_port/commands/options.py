"""What the commands of `stdc-seg` have in common."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converters.command_line import (
    HOLDS,
    errors_as_exit_codes,
    show,
    write_json,
)
from converters.files import made_folder
from converters.frameworks import require_recent
from converters.stopping import SIGNALLED
from stdc_port.training.processor import use_wide_vectors
from stdc_port.training.stops import StoppedError

if TYPE_CHECKING:
    from stdc_port.training.parts import Part
    from stdc_port.training.recipe import Recipe

PATH: Any = click.Path(path_type=Path)
MODELS = click.Choice(["stdc1", "stdc2"])


def recipe_options(
    default: str | None, told_as: str = "by --cityscapes"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--recipe`` and ``--set``.

    Args:
        default: name of the recipe when none is given.
        told_as: what the help says of the default if it is None.
    """

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
                show_default=default or told_as,
                help="Name of a recipe, or a .toml file.",
            ),
        ):
            command = option(command)
        return command

    return add


def chosen_recipe(name: str, overrides: tuple[str, ...], model: str | None) -> Recipe:
    """Read the recipe of ``--recipe``, changed by ``--set`` and ``--model``.

    Raises:
        InputError: see `load_recipe`.
    """
    from stdc_port.training.recipe import load_recipe

    changes = (*overrides, f"model={model!r}") if model else overrides
    return load_recipe(name, changes)


def run_recipe(
    weights: Path, name: str | None, overrides: tuple[str, ...], model: str | None
) -> Recipe:
    """Read the recipe that trained some weights: the one in their folder, unless one is named.

    Raises:
        InputError: see `load_recipe`.
    """
    beside = weights.with_name("recipe.json")
    default = str(beside) if beside.is_file() else "generated"
    return chosen_recipe(name or default, overrides, model)


def views(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--scales`` and ``--flip``: how often a network looks at a picture."""
    for option in (
        click.option("--flip", is_flag=True, help="Also look at the mirrored picture."),
        click.option(
            "--scales",
            "--scale",
            metavar="S[,S...]",
            callback=_scales,
            help="Of the pictures that the network sees; default: the recipe's.",
        ),
    ):
        command = option(command)
    return command


def _scales(_: click.Context, __: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        scales = tuple(float(word) for word in value.split(","))
    except ValueError:
        scales = ()
    if not scales or not all(0.05 <= scale <= 8 for scale in scales):
        raise click.BadParameter(f"{value!r}: expected scales from 0.05 to 8, as 0.5,0.75,1.0")
    return scales


def part(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int]:
    """Read ``--part K/N`` as (K - 1, N); the whole is (0, 1)."""
    number, _slash, parts = (value or "1/1").partition("/")
    if not (number.isdecimal() and parts.isdecimal()):
        raise click.BadParameter(f"{value!r}: expected two whole numbers, as 2/4")
    return int(number) - 1, int(parts)


def picture_size(_: click.Context, __: click.Parameter, value: str) -> tuple[int, int]:
    """Read ``--size``: width and height in pixels."""
    width, _x, height = value.lower().replace("×", "x").partition("x")
    if not (width.isdecimal() and height.isdecimal()) or min(int(width), int(height)) < 32:
        raise click.BadParameter(f"{value!r}: expected width x height of at least 32, as 512x256")
    return int(width), int(height)


def device_numbers(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Read ``--devices``: numbers, none of them twice."""
    numbers = tuple((value or "").replace(" ", "").split(",")) if value else ()
    if not all(number.isdecimal() for number in numbers) or len(set(numbers)) < len(numbers):
        raise click.BadParameter(f"{value!r}: expected different whole numbers, as 0,1,2")
    return numbers


@contextmanager
def told(*needed: str) -> Iterator[None]:
    """Keep Paddle's remarks on its own build from the user, and errors to one message.

    A training that was asked to end, and has saved its state, ends well. Before Paddle's first
    product its library is told what the processor can do.

    Args:
        needed: frameworks that are loaded, and refused before that if they are too old; paddle
            where none is named.
    """
    use_wide_vectors()
    with warnings.catch_warnings(), errors_as_exit_codes():
        for remark in ("No ccache found", "When training, we now always track"):
            warnings.filterwarnings("ignore", message=remark)
        require_recent(*needed or ("paddle",))
        try:
            yield
        except StoppedError as stopped:
            click.echo(str(stopped), err=True)
            ours = stopped.signal == signal.SIGTERM
            code = HOLDS if ours else SIGNALLED + stopped.signal
            raise SystemExit(code) from None


def write_figures(folder: Path, part: Part) -> None:
    """Write evaluation.json, confusion.csv and confusion.png into a folder, made if need be."""
    from stdc_port.training import confusion

    made_folder(folder)
    write_json(folder / "evaluation.json", part.to_json())
    confusion.write_csv(folder / "confusion.csv", part.evaluation)
    confusion.draw(folder / "confusion.png", part.evaluation)


def show_result(result: Any, json_path: Path | None, *, quiet: bool) -> None:
    """Write a result as JSON where that is wanted, and print it unless told to be quiet."""
    if json_path is not None:
        write_json(json_path, result.to_json())
    if not quiet:
        show(result)
