"""The command ``stdc-convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from converters.command_line import (
    CONTEXT,
    FALLS_SHORT,
    common_options,
    progress_bar,
    show,
    stop,
    write_json,
)
from converters.convert import default_target
from converters.errors import ConverterError, RefusedError
from converters.execute import execute, report_of, unwritten
from converters.formats import read_checkpoint
from converters.plan import plan_conversion
from converters.report import ConversionReport

ARCHS = ("auto", "stdc1", "stdc2", "stdc1-seg", "stdc2-seg")
EXAMPLE = """
\b
Examples:
  stdc-convert STDCNet813M_73.91.tar             writes STDCNet813M_73.91.pdparams
  stdc-convert model.pth -o out.pdparams --dry-run
  stdc-convert model.pdparams --to torch         writes model.pth

\b
Exit codes: 0 converted and verified; 1 a tensor is unaccounted for or does not fit,
nothing was written; 2 the source or an argument cannot be used.
"""


@click.command(context_settings=CONTEXT, epilog=EXAMPLE)
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "target",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Target; SRC with the other framework's suffix if left out.",
)
@click.option(
    "--to",
    type=click.Choice(["paddle", "torch"]),
    default="paddle",
    show_default=True,
    help="Target framework.",
)
@click.option(
    "--arch",
    type=click.Choice(ARCHS),
    default="auto",
    show_default=True,
    help="Which network; auto tells it by the keys.",
)
@click.option(
    "--dtype",
    type=click.Choice(["keep", "float32", "float16", "bfloat16"]),
    default="keep",
    show_default=True,
    help="Type of floating-point tensors in OUT.",
)
@click.option("--key", help="Dict inside SRC to take, as in model.ema; else chosen by content.")
@click.option("--dry-run", is_flag=True, help="Show the plan and write nothing.")
@click.option(
    "--strict/--no-strict",
    default=True,
    show_default=True,
    help="Write nothing if a tensor is unaccounted for or does not fit.",
)
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@common_options
def main(
    source: Path, target: Path | None, *, json_path: Path | None, quiet: bool, **options: Any
) -> None:
    """Convert a checkpoint between torch and PaddlePaddle, every tensor accounted for.

    SRC is a torch file (.pth, .pt, .tar, .ckpt, .bin, new or old), .safetensors or .pdparams; what
    it is, is told by its content. Nothing in it is run. Neither framework is needed.
    """
    try:
        report = convert(source, target, quiet=quiet, **options)
        if json_path is not None:
            write_json(json_path, report.to_json())
    except RefusedError as error:
        stop(error, FALLS_SHORT)
    except ConverterError as error:
        stop(error)
    if not quiet:
        show(report)
    if options["dry_run"] and options["strict"] and report.problems:
        raise SystemExit(FALLS_SHORT)


def convert(
    source: Path,
    target: Path | None,
    *,
    to: Any,
    arch: str,
    dtype: str,
    key: str | None,
    dry_run: bool,
    strict: bool,
    force: bool,
    quiet: bool,
) -> ConversionReport:
    """Plan, and unless it is a dry run carry out, with a progress bar.

    Raises:
        RefusedError: the plan has problems and ``strict`` holds.
        InputError: source or target cannot be used.
    """
    plan = plan_conversion(read_checkpoint(source, key=key), to=to, arch=arch, dtype=dtype)
    path = default_target(source, target, to)
    if dry_run:
        return report_of(plan, unwritten(path))
    with progress_bar("converting", 2 * len(plan.entries), quiet=quiet) as progress:
        return execute(plan, path, strict=strict, force=force, progress=progress)


if __name__ == "__main__":
    main()
