"""What every command of the project has in common: options, exit codes, JSON, progress."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from converters.errors import InputError

HOLDS, FALLS_SHORT, COULD_NOT = 0, 1, 2
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

Command = TypeVar("Command", bound=Callable[..., Any])


def package_version() -> str:
    """Return the project's version, 'unknown' where it runs without being installed."""
    try:
        return version("stdc-port")
    except PackageNotFoundError:
        return "unknown"


def common_options(command: Command) -> Command:
    """Add ``--json``, ``--quiet`` and ``--version`` to a command."""
    for option in (
        click.version_option(package_version(), message="%(prog)s %(version)s"),
        click.option("--quiet", "-q", is_flag=True, help="Print errors alone."),
        click.option(
            "--json",
            "--report",
            "json_path",
            type=click.Path(path_type=Path),
            callback=report_path,
            help="Also write the report here, as JSON.",
        ),
    ):
        command = option(command)
    return command


def stop(message: object, code: int = COULD_NOT) -> NoReturn:
    """End the command with one message on stderr."""
    click.echo(f"error: {message}", err=True)
    raise SystemExit(code)


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that the file is there whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.write("\n")
        Path(temporary).replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def report_path(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a report's path before the work is done, not after it.

    Raises:
        click.BadParameter: its folder does not exist, or it is a folder itself.
    """
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise click.BadParameter(f"{path}: name a file in a folder that exists")
    return path


@contextmanager
def progress_bar(what: str, total: int, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yield a function to call once a step; the bar is on stderr, and only on a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[step]}"),
    )
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=total, step="")
        yield lambda step: bar.update(task, advance=1, step=step[-40:])
