"""``stdc-convert inspect FILE``: what is in a file."""

from __future__ import annotations

from pathlib import Path

import click

from converters.command_line import (
    SOURCE,
    common_options,
    errors_as_exit_codes,
    show,
    write_json,
)

EXAMPLE = """
\b
Examples:
  stdc-convert inspect STDCNet813M_73.91.tar
  stdc-convert inspect checkpoint.pth --key ema --all

\b
Exit codes: 0 told; 2 the file cannot be used.
"""


@click.command("inspect", epilog=EXAMPLE)
@click.argument("source", metavar="FILE", type=SOURCE)
@click.option("--key", metavar="PATH", help="Dict inside FILE to take, as in model.ema.")
@click.option("--all", "everything", is_flag=True, help="Also list every tensor.")
@common_options
def inspect_command(
    source: Path, *, key: str | None, everything: bool, json_path: Path | None, quiet: bool
) -> None:
    """Tell what is in a checkpoint: format, network, layers, types, sizes, aliases, other content.

    No tensor is read, and nothing of the file is run.
    """
    from converters.inspect import TensorTable, inspect_checkpoint

    with errors_as_exit_codes():
        found = inspect_checkpoint(source, key=key)
        if json_path is not None:
            write_json(json_path, found.to_json())
    if not quiet:
        show(found)
        if everything:
            show(TensorTable(found.tensors))
