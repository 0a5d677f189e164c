"""``stdc-convert diff A B``: how two files differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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

EXAMPLE = """
\b
Examples:
  stdc-convert diff model.pth model.pdparams
  stdc-convert diff a.pth b.pth --tol 1e-6
  stdc-convert diff run.pth run.pth --key-a model --key-b ema --tol 0.01
  stdc-convert diff resnet50.pth resnet50.pdparams --model paddle.vision.models:resnet50

\b
Exit codes: 0 the same; 1 different; 2 a file cannot be used, or the network is not known.
"""


@click.command("diff", epilog=EXAMPLE)
@click.argument("first", metavar="A", type=SOURCE)
@click.argument("second", metavar="B", type=SOURCE)
@click.option(
    "--tol",
    "tolerance",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Count a tensor as close, of whatever types, if max|a-b| is at most this part of max|a|; "
    "0 asks for equal bits.",
)
@click.option(
    "--model",
    metavar="MOD:FACTORY",
    help="Network of either side's framework, whose layers settle every tensor.",
)
@click.option(
    "--rules",
    "rules_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Renames, drops and layer kinds, as for converting A.",
)
@click.option("--key-a", metavar="PATH", help="Dict inside A to take, as in model.ema.")
@click.option("--key-b", metavar="PATH", help="Dict inside B to take.")
@click.option("--all", "everything", is_flag=True, help="Show more than 100 that differ.")
@common_options
def diff_command(
    first: Path,
    second: Path,
    *,
    tolerance: float,
    key_a: str | None,
    key_b: str | None,
    model: str | None,
    rules_path: Path | None,
    everything: bool,
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Compare two checkpoints: keys, shapes, bits and values, across frameworks too.

    Networks other than STDC are compared across frameworks by what their tensors tell; where that
    is not enough, --model or --rules says the rest. With a network, the file of the other framework
    is brought to its names and layouts, and --rules is for that file.
    """
    from converters.diff import diff_checkpoints
    from converters.formats import read_checkpoint
    from converters.model import build_model
    from converters.user_rules import read_rules

    with errors_as_exit_codes():
        rules = read_rules(rules_path) if rules_path else None
        a, b = read_checkpoint(first, key=key_a), read_checkpoint(second, key=key_b)
        target = build_model(model) if model else None
        with progress_bar("comparing", len(a), quiet=quiet) as progress:
            found = diff_checkpoints(
                a, b, tolerance=tolerance, target=target, rules=rules, progress=progress
            )
        if json_path is not None:
            write_json(json_path, found.to_json())
    if not quiet:
        show(replace(found, most=None) if everything else found)
    if not found:
        raise SystemExit(FALLS_SHORT)
