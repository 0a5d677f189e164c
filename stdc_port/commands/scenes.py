"""``stdc-seg scenes``: a generated set."""

from __future__ import annotations

from pathlib import Path

import click

from converters.command_line import common_options, write_json
from stdc_port.commands.options import PATH, picture_size, told

EXAMPLE = """
\b
Example:
  stdc-seg scenes scenes --train 40 --val 10 --size 256x128
"""


@click.command("scenes", epilog=EXAMPLE)
@click.argument("folder", type=PATH)
@click.option("--train", default=120, show_default=True, type=click.IntRange(min=1))
@click.option("--val", default=30, show_default=True, type=click.IntRange(min=1))
@click.option("--size", default="512x256", show_default=True, callback=picture_size, metavar="WxH")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@common_options
def scenes_command(
    folder: Path, size: tuple[int, int], json_path: Path | None, quiet: bool, **counts: int
) -> None:
    """Generate street scenes in the Cityscapes layout."""
    with told():
        from stdc_port.training.pipeline import generate
        from stdc_port.training.scenes import SceneSet

        wanted = SceneSet(width=size[0], height=size[1], **counts)
        generate(folder, wanted, quiet=quiet)
        if json_path is not None:
            write_json(json_path, {"folder": str(folder), **vars(wanted)})
    if not quiet:
        click.echo(f"{folder}: {wanted.train} training and {wanted.val} validation scenes")
