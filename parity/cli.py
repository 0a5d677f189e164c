"""The `stdc-parity` command. Frameworks are loaded when a check really starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from converters.command_line import (
    CONTEXT,
    COULD_NOT,
    FALLS_SHORT,
    HOLDS,
    common_options,
    write_json,
)
from parity.precision import TOLERANCE

if TYPE_CHECKING:
    from parity.job import Job, Request
    from parity.result import ParityResult

INTERRUPTED = 130
EXAMPLES = """
\b
Examples:
  stdc-parity model.pth --converted model.pdparams
  stdc-parity --arch stdc2-seg --size 200x333
  stdc-parity --torch nets:ours --paddle nets:theirs --input images.npy

\b
Exit codes: 0 parity holds; 1 it does not; 2 it could not be checked.
"""


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


@click.command(context_settings=CONTEXT, epilog=EXAMPLES)
@click.argument("checkpoint", required=False, type=click.Path(path_type=Path))
@click.option(
    "--tol",
    default=TOLERANCE,
    show_default=True,
    callback=_tolerance,
    help="Bound of the float32 error, relative to a layer's largest value.",
)
@click.option(
    "--arch",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "stdc1", "stdc2", "stdc1-seg", "stdc2-seg"]),
    help="auto: what CHECKPOINT holds, else stdc1-seg.",
)
@click.option(
    "--variant",
    type=click.Choice(["authors", "paddleseg", "mmseg"]),
    help="Whose implementation both networks follow; default: what CHECKPOINT holds, else authors.",
)
@click.option(
    "--check",
    "checks",
    multiple=True,
    default=["forward"],
    show_default=True,
    type=click.Choice(["forward"]),
    help="What to check.",
)
@click.option(
    "--precision",
    default="both",
    show_default=True,
    type=click.Choice(["float32", "float64", "both"]),
    help="both tells rounding from meaning.",
)
@click.option(
    "--input",
    "input_file",
    default="random",
    show_default=True,
    help="random, or a .npy file (N, C, H, W).",
)
@click.option(
    "--size",
    default="256x512",
    show_default=True,
    callback=_size,
    metavar="HxW",
    help="Size of the random input.",
)
@click.option(
    "--torch",
    "torch_factory",
    metavar="PKG.MOD:FACTORY",
    help="Builds the torch network, instead of STDC's.",
)
@click.option(
    "--paddle",
    "paddle_factory",
    metavar="PKG.MOD:FACTORY",
    help="Builds the paddle network, instead of STDC's.",
)
@click.option(
    "--converted",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A converted file to compare bit for bit.",
)
@click.option(
    "--no-convert",
    is_flag=True,
    help="Take the weights that the --paddle factory loaded as they stand.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Of the weights without CHECKPOINT, and of the random input.",
)
@click.option("--all", "everything", is_flag=True, help="Show every layer.")
@common_options
def main(input_file: str, no_convert: bool, **options: Any) -> None:
    """Show, layer by layer, that a Paddle network computes what its torch original does.

    CHECKPOINT is a torch file; without one, seeded weights are used.
    """
    from converters import ConverterError
    from parity.job import JobError, Request
    from parity.record import NetworkError

    request = Request(
        checkpoint=options["checkpoint"],
        arch=options["arch"],
        variant=options["variant"],
        torch_factory=options["torch_factory"],
        paddle_factory=options["paddle_factory"],
        input_file=None if input_file == "random" else Path(input_file),
        size=options["size"],
        convert=not no_convert,
        seed=options["seed"],
    )
    try:
        result, job = _check(request, options)
        _report(result, job, options)
    except (JobError, NetworkError, ConverterError, ValueError, OSError) as error:
        _give_up(" ".join(str(error).split()))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - 1 must mean 'checked', never 'crashed'
        _give_up(f"unexpected {type(error).__name__}: {' '.join(str(error).split())}")
    sys.exit(HOLDS if result else FALLS_SHORT)


def _give_up(message: str) -> NoReturn:
    click.echo(f"stdc-parity: {message}", err=True)
    sys.exit(COULD_NOT)


def _check(request: Request, options: dict[str, Any]) -> tuple[ParityResult, Job]:
    from rich.console import Console

    from parity.job import prepare

    console = Console(stderr=True, quiet=options["quiet"])
    with console.status("loading both networks") as status:
        job = prepare(request)
        status.update(f"comparing {job.title}")
        from parity.check import check_parity

        result = check_parity(
            job.torch_module,
            job.paddle_layer,
            job.inputs,
            tol=options["tol"],
            checks=options["checks"],
            precision=options["precision"],
            transfer=request.convert,
            converted=options["converted"],
        )
    return result, job


def _report(result: ParityResult, job: Job, options: dict[str, Any]) -> None:
    from rich.console import Console

    from parity.report.terminal import show

    if not options["quiet"]:
        shape = "×".join(str(n) for n in job.inputs[0].shape)
        click.echo(f"{job.title}, input {shape}")
        show(result, Console(), everything=options["everything"])
    if options["json_path"] is not None:
        write_json(options["json_path"], {"title": job.title, **result.to_json()})
