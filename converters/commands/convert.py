"""``stdc-convert SRC``: the conversion itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converters.command_line import (
    FALLS_SHORT,
    SOURCE,
    common_options,
    errors_as_exit_codes,
    progress_bar,
    show,
    write_json,
)
from converters.errors import RefusedError
from converters.layouts.names import NAMINGS
from converters.mapped import MappedFile
from stdc_port.spec import VARIANTS

if TYPE_CHECKING:
    from converters.report import ConversionReport

# Named here as well, so that the help needs no numpy.
FORMATS = ("pdparams", "safetensors", "torch-zip", "torch-legacy")
ARCHS = ("auto", "stdc1", "stdc2", "stdc1-seg", "stdc2-seg", "generic")
EXAMPLE = """
\b
Examples:
  stdc-convert STDCNet813M_73.91.tar             writes STDCNet813M_73.91.pdparams
  stdc-convert model.pdparams                    writes model.pth
  stdc-convert resnet50.pth --model paddle.vision.models:resnet50
  stdc-convert vgg16.pth --model 'paddle.vision.models:vgg16(batch_norm=True)'
  stdc-convert stdc1-seg.pth --layout paddleseg --allow-inexact
  stdc-convert inspect model.pth                 what is in it: see inspect -h
  stdc-convert diff model.pth model.pdparams     how they differ: see diff -h

\b
Exit codes: 0 converted and verified; 1 a tensor is unaccounted for or does not fit,
nothing was written; 2 the source or an argument cannot be used.
"""


@click.command("convert", epilog=EXAMPLE)
@click.argument("source", metavar="SRC", type=SOURCE)
@click.option(
    "-o",
    "--output",
    "target",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Target; SRC with another suffix if left out.",
)
@click.option(
    "--to",
    type=click.Choice(["paddle", "torch"]),
    help="Target framework; the other one if left out.",
)
@click.option(
    "--arch",
    type=click.Choice(ARCHS),
    metavar="ARCH",
    default="auto",
    help="stdc1, stdc2, stdc1-seg, stdc2-seg, generic (any other), or auto: told by the keys.",
)
@click.option(
    "--variant",
    type=click.Choice(["auto", *VARIANTS]),
    metavar="VARIANT",
    default="auto",
    help="Whose STDC SRC is: authors, authors-bn, paddleseg, mmseg, mmseg-relu, or auto.",
)
@click.option(
    "--layout",
    type=click.Choice(list(NAMINGS)),
    metavar="NAMES",
    default="native",
    help="Whose names OUT gets: authors, paddleseg, mmseg, mmseg-first, or native: the variant as "
    "it is, under the authors' names.",
)
@click.option(
    "--allow-inexact",
    is_flag=True,
    help="Convert although the network behind --layout computes something else.",
)
@click.option(
    "--model",
    metavar="MOD:FACTORY",
    help="Target network, whose layers settle every tensor; factory(num_classes=7) has arguments.",
)
@click.option(
    "--rules",
    "rules_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Your own renames, drops and kinds of layers (TOML).",
)
@click.option(
    "--dtype",
    type=click.Choice(["keep", "float32", "float16", "bfloat16"]),
    metavar="TYPE",
    default="keep",
    help="Floating-point type in OUT: float32, float16, bfloat16, or keep.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    metavar="FORMAT",
    help="pdparams, safetensors, torch-zip, torch-legacy (PyTorch 1.5 and older); else told by "
    "OUT's suffix.",
)
@click.option(
    "--max-shard-size",
    metavar="SIZE",
    help="Cut OUT into shards of 2GB, say, with an index.",
)
@click.option("--key", metavar="PATH", help="Dict inside SRC to take, as in model.ema.")
@click.option("--dry-run", is_flag=True, help="Show the plan and write nothing.")
@click.option(
    "--strict/--no-strict",
    default=True,
    help="Strict, the default: write nothing if a tensor is left over, does not fit, or is a "
    "guess.",
)
@click.option(
    "--verify/--no-verify",
    default=True,
    help="OUT is read back and compared before it is named.",
)
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@common_options
def convert_command(
    source: Path, target: Path | None, *, json_path: Path | None, quiet: bool, **options: Any
) -> None:
    """Convert a checkpoint between torch and Paddle, every tensor accounted for.

    SRC is a torch file (zip, legacy, tar), .safetensors, .pdparams or an index of shards, told by
    its content. Nothing in it is run. Neither framework is needed.
    """
    with errors_as_exit_codes():
        report = convert(source, target, json_path=json_path, quiet=quiet, **options)
        if json_path is not None:
            write_json(json_path, report.to_json())
    if not quiet:
        show(report)
    refused = (options["strict"] and report.problems) or (
        report.inexact and not options["allow_inexact"]
    )
    if options["dry_run"] and refused:
        raise SystemExit(FALLS_SHORT)


def convert(
    source: Path,
    target: Path | None,
    *,
    model: str | None,
    rules_path: Path | None,
    form: str | None,
    max_shard_size: str | None,
    dry_run: bool,
    strict: bool,
    force: bool,
    verify: bool,
    json_path: Path | None,
    quiet: bool,
    **options: Any,
) -> ConversionReport:
    """Plan, and unless it is a dry run carry out, with a progress bar.

    A refusal leaves its plan in the report, so that no older report stays in its place.

    Raises:
        RefusedError: the plan has problems and ``strict`` holds.
        InputError: source or target cannot be used.
    """
    # Beside the loading of numpy, whose linear algebra is not used; its threads would disturb.
    opened = MappedFile.of(source)
    opened.digest()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from converters.convert import default_target, plan_file
    from converters.execution import execute, output_of, report_of, unwritten, written_entries
    from converters.user_rules import read_rules

    rules = read_rules(rules_path) if rules_path else None
    repack = bool(form or max_shard_size)
    plan = plan_file(source, target=model, rules=rules, opened=opened, repack=repack, **options)
    path = default_target(source, target, plan.to, form)
    if dry_run:
        output_of(plan, path, form, max_shard_size).check(plan.checkpoint.files, force=force)
        return report_of(plan, unwritten(path))
    steps = (1 + verify) * sum(len(entry.targets) for entry in written_entries(plan))
    try:
        with progress_bar("converting", steps, quiet=quiet) as progress:
            return execute(
                plan,
                path,
                form=form,
                max_shard_size=max_shard_size,
                strict=strict,
                force=force,
                verify=verify,
                progress=progress,
            )
    except RefusedError:
        if json_path is not None:
            write_json(json_path, report_of(plan, unwritten(path)).to_json())
        raise
