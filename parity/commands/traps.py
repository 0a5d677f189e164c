"""`stdc-parity traps`: the catalogue of silent differences, measured here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from converters.command_line import (
    FALLS_SHORT,
    HOLDS,
    common_options,
    progress_bar,
    write_json,
)
from parity.commands.outcome import errors_as_exit_codes

if TYPE_CHECKING:
    from pathlib import Path

    from parity.traps.engine import Outcome

EXAMPLES = """
\b
Examples:
  stdc-parity traps
  stdc-parity traps bn-momentum 23 --json traps.json

\b
Exit codes: 0 every trap that exists here has a mend that holds; 1 a mend does not hold;
2 it could not be measured.
"""


@click.command("traps", epilog=EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NUMBER|SLUG]…")
@common_options
def traps_command(names: tuple[str, ...], quiet: bool, json_path: Path | None) -> None:
    """Measure where Paddle does silently something else than torch, and that each mend mends.

    Runs the catalogue against the two installed versions: the difference now, and after the mend.
    """
    with errors_as_exit_codes():
        outcomes = _measured(names, quiet=quiet)
        _report(outcomes, quiet=quiet, json_path=json_path)
        from parity.traps.engine import Standing

        held = all(outcome.standing is not Standing.NOT_MENDED for outcome in outcomes)
    sys.exit(HOLDS if held else FALLS_SHORT)


def _measured(names: tuple[str, ...], *, quiet: bool) -> list[Outcome]:
    from parity.job import need

    need("torch", "paddle")
    from parity.traps.catalogue import chosen
    from parity.traps.engine import measure_all

    traps = chosen(names)
    with progress_bar("measuring", len(traps), quiet=quiet) as step:
        return list(measure_all(traps, step))


def _report(outcomes: list[Outcome], *, quiet: bool, json_path: Path | None) -> None:
    from rich.console import Console

    from parity.traps.show import as_json, summary, table

    if not quiet:
        console = Console()
        console.print(table(outcomes))
        console.print(summary(outcomes))
    if json_path is not None:
        write_json(json_path, as_json(outcomes))
