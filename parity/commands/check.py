"""`stdc-parity [check]`: both networks in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from converters.command_line import common_options
from parity.commands.options import CHECKING, INPUTS, NETWORKS, SHOWING, TRAINING, chosen
from parity.commands.outcome import end, errors_as_exit_codes, report

if TYPE_CHECKING:
    from parity.job import Job, Request
    from parity.result import ParityResult

EXAMPLES = """
\b
Examples:
  stdc-parity model.pth --converted model.pdparams
  stdc-parity --arch stdc2-seg --size 200x333
  stdc-parity --torch nets:ours --paddle nets:theirs --input images.npy
  stdc-parity --torch m:bert --paddle m:bert_pd --input int:1x16:0..30522 --input int:1x16:1
  stdc-parity dump model.pth --framework torch --out torch.npz      see dump -h
  stdc-parity diff torch.npz paddle.npz                             see diff -h

\b
Exit codes: 0 parity holds; 1 it does not; 2 it could not be checked.
"""


@click.command(
    "check", params=[*NETWORKS, *INPUTS, *CHECKING, *TRAINING, *SHOWING], epilog=EXAMPLES
)
@common_options
def check_command(**options: Any) -> None:
    """Show, layer by layer, that a Paddle network computes what its torch original does.

    CHECKPOINT is a torch file; without one, seeded weights are used.
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
    from rich.console import Console

    from parity.job import prepare

    console = Console(stderr=True, quiet=options["quiet"])
    with console.status("loading both networks") as status:
        job = prepare(request)
        status.update(f"comparing {job.title}")
        from parity.check import check_parity
        from parity.job.checks import extras

        result = check_parity(
            job.torch_module,
            job.paddle_layer,
            job.inputs,
            transfer=request.convert,
            **chosen(CHECKING, options),
            **extras(request, job, options),
        )
    return result, job
