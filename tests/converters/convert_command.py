"""The command `stdc-convert` run within a test, and what it leaves behind."""

from pathlib import Path

from click.testing import CliRunner, Result

from converters.cli import main


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def flat(text: str) -> str:
    return " ".join(text.split())


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
