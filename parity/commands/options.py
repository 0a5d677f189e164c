"""Options of the sub-commands, by what they are about.

A sub-command takes whole groups, and reads a group's values with `chosen`. An option of `CHECKING`
is named like the argument of `check_parity` that it sets, and needs no further wiring.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converters.command_line import report_path
from parity.precision import CHECKS, TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from converters.user_rules import UserRules


def chosen(group: Iterable[click.Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Take the values of a group's options out of all those of a command."""
    return {name: values[name] for name in (option.name for option in group) if name is not None}


def _size(_: click.Context, __: click.Parameter, value: str) -> tuple[int, int]:
    parts = value.lower().replace("×", "x").split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r}: expected height x width, 256x512 for example")
    height, width = (int(part) for part in parts)
    if min(height, width) < 1:
        raise click.BadParameter(f"{value}: each side must be at least 1")
    return height, width


def _tolerance(_: click.Context, __: click.Parameter, value: float) -> float:
    if not 0 < value < 1:
        raise click.BadParameter(f"{value}: expected a number between 0 and 1")
    return value


def _checks(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return CHECKS if "all" in value else value


def _rules(_: click.Context, __: click.Parameter, value: Path | None) -> UserRules | None:
    from converters.errors import InputError
    from converters.user_rules import read_rules

    try:
        return read_rules(value) if value else None
    except InputError as error:
        raise click.BadParameter(str(error)) from error


#: Which networks, with which weights: fields of `parity.job.Request`.
NETWORKS: tuple[click.Parameter, ...] = (
    click.Argument(["checkpoint"], required=False, type=click.Path(path_type=Path)),
    click.Option(
        ["--arch"],
        default="auto",
        metavar="ARCH",
        type=click.Choice(["auto", "stdc1", "stdc2", "stdc1-seg", "stdc2-seg"]),
        help="stdc1, stdc2, stdc1-seg or stdc2-seg; default: CHECKPOINT's.",
    ),
    click.Option(
        ["--variant"],
        metavar="NAME",
        type=click.Choice(["authors", "paddleseg", "mmseg"]),
        help="authors, paddleseg or mmseg; default: CHECKPOINT's, else authors.",
    ),
    click.Option(
        ["--torch", "torch_factory"],
        metavar="PKG.MOD:FACTORY",
        help="Makes the torch network, instead of STDC's.",
    ),
    click.Option(
        ["--paddle", "paddle_factory"],
        metavar="PKG.MOD:FACTORY",
        help="Makes the paddle network, instead of STDC's.",
    ),
    click.Option(
        ["--no-convert"],
        is_flag=True,
        help="Take the weights that the --paddle factory loaded.",
    ),
)
#: Where they run; a field of `parity.job.Request`.
DEVICE: tuple[click.Parameter, ...] = (
    click.Option(
        ["--device"],
        default="cpu",
        show_default=True,
        help="cpu, gpu, gpu:1 … TF32 is off there.",
    ),
)

#: What the networks are given: fields of `parity.job.Request`.
INPUTS: tuple[click.Parameter, ...] = (
    click.Option(
        ["--input", "inputs"],
        multiple=True,
        metavar="[NAME=]INPUT",
        help="Once for each: random (the default); a shape, 1x3x224x224; int:1x16:0..100, from 0 "
        "to 99; int:1x16:1, all 1; bool:1x16; a .npy or .npz file; a dump's; an image. NAME= "
        "passes it by name.",
    ),
    click.Option(
        ["--size"],
        default="256x512",
        show_default=True,
        callback=_size,
        metavar="HxW",
        help="Of the random input, and of an image once resized.",
    ),
    click.Option(
        ["--seed"],
        default=0,
        show_default=True,
        type=click.IntRange(min=0),
        help="Of the weights without CHECKPOINT, and of what --input draws.",
    ),
)

TOLERANCES: tuple[click.Parameter, ...] = (
    click.Option(
        ["--tol"],
        default=TOLERANCE,
        show_default=True,
        callback=_tolerance,
        metavar="NUMBER",
        help="Bound of float32 errors, relative to a layer's largest value.",
    ),
)
#: Which layer is which, where names do not say.
RENAMING: tuple[click.Parameter, ...] = (
    click.Option(
        ["--rules", "rename"],
        metavar="FILE.toml",
        type=click.Path(path_type=Path),
        callback=_rules,
        help="Renames and drops of keys, as stdc-convert takes them.",
    ),
)
#: What a run is; a dump has them, too.
RUNNING: tuple[click.Parameter, ...] = (
    click.Option(
        ["--precision"],
        default="both",
        metavar="RUNS",
        type=click.Choice(["float32", "float64", "both"]),
        help="float32, float64 or both (the default), which tells what is rounding.",
    ),
    click.Option(
        ["--converted"],
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="A converted file, to compare bit for bit.",
    ),
)
#: How the check is made: arguments of `check_parity`.
CHECKING: tuple[click.Parameter, ...] = (
    *TOLERANCES,
    click.Option(
        ["--check", "checks"],
        multiple=True,
        default=["forward"],
        metavar="WHAT",
        type=click.Choice([*CHECKS, "all"]),
        callback=_checks,
        help="forward (the default), backward, loss, train or all; may be repeated.",
    ),
    click.Option(
        ["--isolation"],
        default="auto",
        show_default=True,
        type=click.Choice(["auto", "always", "never"]),
        help="When to measure each layer's own error beside the inherited one; auto: where "
        "something is no match.",
    ),
    click.Option(
        ["--store"],
        default="memory",
        show_default=True,
        type=click.Choice(["memory", "disk"]),
        help="memory runs both side by side; disk keeps torch's run in a temporary file, for "
        "networks of which two do not fit.",
    ),
    *RENAMING,
    *RUNNING,
)

#: What losses and trainings are compared; see `parity.job.checks`.
TRAINING: tuple[click.Parameter, ...] = (
    click.Option(
        ["--cotangent"],
        default="random",
        show_default=True,
        type=click.Choice(["random", "loss"]),
        help="Gradients of seeded numbers, or of the real loss in training mode.",
    ),
    click.Option(
        ["--steps"],
        default=10,
        show_default=True,
        metavar="NUMBER",
        type=click.IntRange(min=1),
        help="Of --check train.",
    ),
    click.Option(
        ["--set", "overrides"],
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help="Change the recipe of --check train: train.unbiased_variance=false, for example.",
    ),
    click.Option(
        ["--training", "training_factory"],
        metavar="PKG.MOD:FACTORY",
        help="Returns the parity.training.Training of your own networks.",
    ),
    click.Option(
        ["--torch-loss"], metavar="PKG.MOD:FUNCTION", help="Of --check loss, with --paddle-loss."
    ),
    click.Option(
        ["--paddle-loss"], metavar="PKG.MOD:FUNCTION", help="Of --check loss, with --torch-loss."
    ),
)

#: What the help of a check names without explaining it; --help-all explains it.
RARE = frozenset(
    {
        "seed",
        "isolation",
        "store",
        "rename",
        "cotangent",
        "overrides",
        "torch_loss",
        "paddle_loss",
        "training_factory",
    }
)

#: How a result is shown; see `parity.commands.outcome`.
SHOWING: tuple[click.Parameter, ...] = (
    click.Option(["--all", "everything"], is_flag=True, help="Show every layer."),
    click.Option(
        ["--html", "html_path"],
        metavar="FILE",
        type=click.Path(path_type=Path),
        callback=report_path,
        help="Also write the report here, as one HTML page.",
    ),
)
