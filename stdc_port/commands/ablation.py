"""``stdc-seg ablation``: with pretrained weights, and without."""

from __future__ import annotations

from pathlib import Path

import click

from converters.command_line import FALLS_SHORT, common_options, write_json
from stdc_port.commands.options import PATH, chosen_recipe, recipe_options, show_result, told

EXAMPLE = """
\b
Example:
  stdc-seg ablation --seeds 0,1 -o runs/ablation
"""


@click.command("ablation", epilog=EXAMPLE)
@click.option("--data", type=PATH, help="A Cityscapes folder; default: generated.")
@click.option("--init", "weights", type=PATH, help="Converted .pdparams; default: made here.")
@click.option("--seeds", default="0,1,2", show_default=True, help="Comma-separated.")
@click.option("--output", "-o", default="runs/ablation", show_default=True, type=PATH)
@recipe_options("generated")
@common_options
def ablation_command(
    data: Path | None,
    weights: Path | None,
    seeds: str,
    output: Path,
    recipe: str,
    overrides: tuple[str, ...],
    json_path: Path | None,
    quiet: bool,
) -> None:
    """Fine-tune with and without pretrained weights, everything else equal.

    Figures and a plot are left in the folder. Run again it goes on where it was. Exit code 1 when
    the pretrained run is not ahead for every seed.
    """
    numbers = seeds.replace(" ", "").split(",")
    if not all(number.isdecimal() for number in numbers) or len(set(numbers)) < len(numbers):
        raise click.UsageError(f"--seeds {seeds}: expected different whole numbers, as 0,1,2")
    with told():
        from stdc_port.training.ablation import draw
        from stdc_port.training.jobs import ablate
        from stdc_port.training.pipeline import prepare, require_same_inputs

        plan = chosen_recipe(recipe, overrides, None)
        used, init = prepare(output, data=data, converted=weights, quiet=quiet)
        require_same_inputs(output, plan, used, init)
        result = ablate(plan, used, output, init, [int(n) for n in numbers], quiet=quiet)
        write_json(output / "ablation.json", result.to_json())
        draw(output / "ablation.png", result)
        show_result(result, json_path, quiet=quiet)
    if not result.helps:
        raise SystemExit(FALLS_SHORT)
