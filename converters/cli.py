"""The command ``stdc-convert``."""

from __future__ import annotations

import click

from converters.command_line import CONTEXT, DefaultGroup, run
from converters.commands.convert import convert_command
from converters.commands.diff import diff_command
from converters.commands.inspect import inspect_command


@click.group(cls=DefaultGroup, default="convert", context_settings=CONTEXT)
def main() -> None:
    """Convert, inspect and compare checkpoints of torch and PaddlePaddle."""


for command in (convert_command, inspect_command, diff_command):
    main.add_command(command)


def script() -> None:
    """Run ``stdc-convert`` as a process."""
    run(main)


if __name__ == "__main__":
    script()
