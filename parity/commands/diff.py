"""`stdc-parity diff`: two dumps compared, neither framework needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from converters.command_line import common_options
from parity.commands.options import RENAMING, SHOWING, TOLERANCES, chosen
from parity.commands.outcome import end, errors_as_exit_codes, report

EXAMPLES = """
\b
Example:
  stdc-parity diff torch.npz paddle.npz --html report.html

\b
Exit codes: 0 parity holds; 1 it does not; 2 a file is no dump, or the two were made of other
inputs or weights.
"""
DUMPS: tuple[click.Parameter, ...] = tuple(
    click.Argument([name], metavar=name.upper(), type=click.Path(path_type=Path))
    for name in ("a", "b")
)


@click.command("diff", params=[*DUMPS, *TOLERANCES, *RENAMING, *SHOWING], epilog=EXAMPLES)
@common_options
def diff_command(a: Path, b: Path, **options: Any) -> None:
    """Compare a dump of the torch network with one of the paddle network, layer by layer.

    A and B come from `stdc-parity dump`, in whichever order. Numbers, verdicts and reports are
    those of a check with both networks at hand.
    """
    with errors_as_exit_codes():
        from parity.dump import Dump, diff_dumps, in_order

        ours, theirs = in_order(Dump(a), Dump(b))
        result = diff_dumps(ours, theirs, **chosen((*TOLERANCES, *RENAMING), options))
        titles = dict.fromkeys((ours.manifest.title, theirs.manifest.title))
        report(result, " against ".join(titles), options)
    end(result)
