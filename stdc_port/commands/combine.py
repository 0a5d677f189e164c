"""``stdc-seg combine``: the evaluation of a set from those of its parts."""

from __future__ import annotations

from pathlib import Path

import click

from converters.command_line import common_options
from stdc_port.commands.options import PATH, show_result, told, write_figures

EXAMPLES = """
\b
Example:
  stdc-seg evaluate --weights FILE --data DIR --part 1/2 --json 1.json
  stdc-seg evaluate --weights FILE --data DIR --part 2/2 --json 2.json
  stdc-seg combine 1.json 2.json -o figures

\b
Exit codes: 0 done; 2 could not be done.
"""


@click.command("combine", epilog=EXAMPLES)
@click.argument("files", nargs=-1, required=True, type=PATH)
@click.option("--output", "-o", type=PATH, help="Folder for evaluation.json, confusion.csv, .png.")
@common_options
def combine_command(
    files: tuple[Path, ...], output: Path | None, json_path: Path | None, quiet: bool
) -> None:
    """Add up what evaluate --part --json wrote, to the very figures of the whole set.

    Refused where parts overlap, one is missing, or they are of different sets, weights or scales.
    """
    with told():
        from converters import InputError
        from stdc_port.training.parts import combined, read_part

        if len(set(files)) < len(files):
            raise InputError("a file is named twice; its pictures would count twice")
        result = combined({str(path): read_part(path) for path in files})
        if output is not None:
            write_figures(output, result)
        show_result(result, json_path, quiet=quiet)
