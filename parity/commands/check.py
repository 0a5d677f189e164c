"""`stdc-parity [check]`: both networks in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from converters.command_line import common_options
from parity.commands.options import CHECKING, INPUTS, NETWORKS, RARE, SHOWING, TRAINING, chosen
from parity.commands.outcome import end, errors_as_exit_codes, progress, report
from parity.commands.short_help import ShortHelp

if TYPE_CHECKING:
    from parity.job import Job, Request
    from parity.result import ParityResult

EXAMPLES = """
\b
Examples:
  stdc-parity model.pth --converted model.pdparams --html report.html
  stdc-parity --arch stdc2-seg --check backward --check train --steps 5
  stdc-parity --torch nets:ours --paddle nets:theirs --input images.npy
Other commands: stdc-parity dump, diff, traps; each has its own -h.
Exit codes: 0 parity holds; 1 it does not; 2 it could not be checked.
"""


@click.command(
    "check",
    cls=ShortHelp,
    rare=RARE,
    params=[*NETWORKS, *INPUTS, *CHECKING, *TRAINING, *SHOWING],
    epilog=EXAMPLES,
)
@common_options
def check_command(**options: Any) -> None:
    """Show, layer by layer, that a Paddle network computes what its torch original does.

    CHECKPOINT is a torch file; without one, stdc1-seg with seeded weights is taken.
    """
    from parity.job import request_of

    with errors_as_exit_codes():
        request = request_of(chosen((*NETWORKS, *INPUTS), options))
        result, job = _check(request, options)
        of_loss = options["cotangent"] == "loss"
        said = ("input: the training's first batch",) if of_loss else job.said
        report(result, ", ".join((job.title, *said)), options)
    end(result)


def _check(request: Request, options: dict[str, Any]) -> tuple[ParityResult, Job]:
    with progress("loading both networks", quiet=options["quiet"]):
        # The frameworks: seconds before anything is there to tell of.
        from parity.check import check_parity
        from parity.job import prepare
        from parity.job.checks import extras

        job = prepare(request)
        result = check_parity(
            job.torch_module,
            job.paddle_layer,
            job.inputs,
            transfer=request.convert,
            **chosen(CHECKING, options),
            **extras(request, job, options),
        )
    return result, job
