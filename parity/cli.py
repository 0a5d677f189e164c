"""The `stdc-parity` command. Frameworks are loaded when a check really starts."""

from __future__ import annotations

import click

from converters.command_line import CONTEXT, DefaultGroup
from parity.commands.check import check_command
from parity.commands.diff import diff_command
from parity.commands.dump import dump_command
from parity.commands.traps import traps_command


@click.group(cls=DefaultGroup, default="check", context_settings=CONTEXT)
def main() -> None:
    """Compare a torch and a Paddle network layer by layer."""


for command in (check_command, dump_command, diff_command, traps_command):
    main.add_command(command)
