"""The command `stdc-seg`. Frameworks are loaded by the step that needs them."""

from __future__ import annotations

import click

from converters.command_line import CONTEXT
from stdc_port.commands.ablation import ablation_command
from stdc_port.commands.cityscapes import cityscapes_command
from stdc_port.commands.combine import combine_command
from stdc_port.commands.evaluate import evaluate_command
from stdc_port.commands.export import bench_command, export_command
from stdc_port.commands.finetune import finetune_command
from stdc_port.commands.predict import predict_command
from stdc_port.commands.pretrain import pretrain_command
from stdc_port.commands.scenes import scenes_command

EXAMPLES = """
\b
Examples:
  stdc-seg cityscapes                                       all on generated data
  stdc-seg cityscapes --cityscapes DIR --weights STDCNet813M_73.91.tar
  stdc-seg finetune --data DIR --init converted.pdparams --recipe stdc1_seg50 -o runs/mine
  stdc-seg evaluate --data DIR --weights runs/mine/model.pdparams
  stdc-seg predict picture.png --weights runs/mine/model.pdparams -o predicted
  stdc-seg export --weights runs/mine/model.pdparams -o exported --drop-heads --fold-bn

\b
Exit codes: 0 done; 1 checked and falls short; 2 could not be done.
"""


@click.group(context_settings=CONTEXT, epilog=EXAMPLES)
@click.version_option(package_name="stdc-port")
def main() -> None:
    """Train, evaluate and use STDC-Seg in Paddle, from weights that came from torch."""


for command in (
    scenes_command,
    pretrain_command,
    finetune_command,
    evaluate_command,
    combine_command,
    predict_command,
    export_command,
    bench_command,
    ablation_command,
    cityscapes_command,
):
    main.add_command(command)


if __name__ == "__main__":
    main()
