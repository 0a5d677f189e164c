"""``stdc-seg pretrain``: the demo's classifier, in torch."""

from __future__ import annotations

from pathlib import Path

import click

from converters.command_line import common_options, progress_bar, write_json
from converters.files import check_target, made_folder
from stdc_port.commands.options import PATH, told

EXAMPLE = """
\b
Example:
  stdc-seg pretrain stdc1.pth --iterations 200
"""


@click.command("pretrain", epilog=EXAMPLE)
@click.argument("target", metavar="OUT.pth", type=PATH)
@click.option("--iterations", type=click.IntRange(min=10), help="Length; default: the demo's.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--force", is_flag=True, help="Replace a file of this name.")
@common_options
def pretrain_command(
    target: Path,
    iterations: int | None,
    seed: int,
    force: bool,
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Train a small STDC1 classifier in torch, on patches of generated scenes.

    It is saved in the authors' file layout. It stands in for their ImageNet checkpoint in the
    demo, and knows nothing but generated scenes.
    """
    with told("torch"):
        from stdc_port.training.pretrain import PretrainPlan, pretrain

        made_folder(target.parent)
        check_target(target, (), force=force)
        plan = PretrainPlan(seed=seed, **({"iterations": iterations} if iterations else {}))
        with progress_bar("pretraining", plan.steps, quiet=quiet) as advance:
            result = pretrain(target, plan, advance=advance)
        if json_path is not None:
            write_json(
                json_path,
                {"path": str(result.path), "top1": result.top1, "classes": result.classes},
            )
    if not quiet:
        click.echo(f"{result.path}: {result.top1:.1f} % of patches from unseen scenes are right")
