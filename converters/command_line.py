"""What every command of the project has in common: options, exit codes, JSON, progress."""

from __future__ import annotations

import gc
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from converters.cut_off import tell_of_files_cut_off
from converters.errors import ConverterError, InputError, RefusedError, one_line, printable
from converters.files import temporary_beside
from converters.stopping import code_of_end, end_in_order

HOLDS, FALLS_SHORT, COULD_NOT = 0, 1, 2
# Larger files are not looked into, and not replaced by a report.
LARGEST_REPORT = 1 << 28
# Which of the package's extras brings a module.
EXTRA_OF = {
    "torch": "cpu,train",
    "paddle": "cpu,train",
    "PIL": "cpu,train",
    "pydantic": "cpu,train",
    "tomli": "train",
}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

# Whether it can be read is said where it is read, in one line like everything else.
SOURCE = click.Path(readable=False, path_type=Path)

Command = TypeVar("Command", bound=Callable[..., Any])


class DefaultGroup(click.Group):
    """A group that runs one of its commands when none is named.

    Args:
        default: That command's name.
        options: As for `click.Group`.
    """

    def __init__(self, *, default: str, **options: Any) -> None:
        super().__init__(**options)
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front where the first word is no command."""
        named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if named else [self.default, *args])

    def make_context(self, *names: Any, **options: Any) -> click.Context:
        """Read the arguments; Ctrl-C then has the exit code that it has later."""
        with interruptible():
            return super().make_context(*names, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; Ctrl-C has its exit code before the command looks for it, too."""
        with interruptible():
            return super().invoke(ctx)


def package_version() -> str:
    """Return the project's version, 'unknown' where it runs without being installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("stdc-port")
    except PackageNotFoundError:
        return "unknown"


def show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print name and version and end, if wanted."""
    if wanted:
        click.echo(f"{context.find_root().info_name} {package_version()}")
        context.exit()


def common_options(command: Command) -> Command:
    """Add ``--json``, ``--quiet`` and ``--version`` to a command."""
    for option in (
        click.option(
            "--version",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=show_version,
            help="Show the version and exit.",
        ),
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


@contextmanager
def interruptible() -> Iterator[None]:
    """End with a signal's exit code; click's own, 1, says that something checked falls short."""
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        code = code_of_end(error)
        if code is None:
            raise
        sys.exit(code)


@contextmanager
def errors_as_exit_codes() -> Iterator[None]:
    """End the command with one message and the exit code that stands for it.

    Stopped from outside it ends in order, too: its temporary files are removed.
    """
    escape_what_cannot_be_shown()
    end_in_order()
    tell_of_files_cut_off()
    try:
        with interruptible():
            yield
    except RefusedError as error:
        stop(error, FALLS_SHORT)
    except ConverterError as error:
        stop(error)
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - 1 must mean 'checked', never 'crashed'
        _stop_unforeseen(error)


def _stop_unforeseen(error: Exception) -> NoReturn:
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRA_OF:
        extra = EXTRA_OF[error.name]
        stop(f"{error.name} is not installed; run: pip install 'stdc-port[{extra}]'")
    if isinstance(error, OSError) and error.filename is not None:
        stop(f"{error.filename}: {error.strerror}")
    traceback.print_exception(error)
    stop("a mistake of this program; please report the lines above")


def escape_what_cannot_be_shown() -> None:
    """Print what the console's encoding has not, as a backslash and numbers.

    Keys and file names may hold any character; a name that is no text has parts of none.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run(command: click.Command) -> NoReturn:
    """Run a command as a process, which ends as soon as the command has.

    Python's own ending takes each module and object apart, which is a tenth of the time that a
    small conversion takes; what a command opened, it has closed by then. Looking for objects that
    only hold each other takes as long while modules are loaded, and finds nothing worth it.
    """
    gc.disable()
    try:
        command()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def show(renderable: Any) -> None:
    """Print a report or a table on stdout, in plain lines where that is no terminal, if it can."""
    if not sys.stdout.isatty() and hasattr(renderable, "plain"):
        click.echo(printable(renderable.plain()))
        return
    from rich.console import Console

    Console().print(renderable)


def stop(message: object, code: int = COULD_NOT) -> NoReturn:
    """End the command with one message on stderr."""
    click.echo(f"error: {message}", err=True)
    raise SystemExit(code)


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that the file is there whole or not at all.

    Raises:
        InputError: the file cannot be written, or holds something else than a report.
    """
    if not may_become_report(path):
        raise InputError(f"{path} is no report, and stays as it is; name another file for JSON")
    with temporary_beside(path) as temporary:
        with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.write("\n")
        temporary.replace(path)


def report_path(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a report's path before the work is done, not after it.

    Raises:
        click.BadParameter: its folder does not exist, it is a folder itself, or no report.
    """
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise click.BadParameter(one_line(f"{path}: name a file in a folder that exists"))
    if path is not None and not may_become_report(path):
        raise click.BadParameter(
            one_line(f"{path} is no report, and would be replaced; name another file")
        )
    return path


def may_become_report(path: Path) -> bool:
    """Tell whether a report may take a file's place: there is none, or it is JSON or a page.

    Checkpoints, rules and the index of a checkpoint in pieces are not replaced by reports.
    """
    if not path.exists():
        return not path.is_symlink()
    if not path.is_file():
        return False
    found = path.read_bytes() if path.stat().st_size <= LARGEST_REPORT else b"\0"
    page = found[:4096].lstrip().lower().startswith(b"<!doctype html")
    # The length in front of a safetensors header may begin as JSON does, but for its zeros.
    report = found.lstrip()[:1] == b"{" and b"\0" not in found and b'"weight_map"' not in found
    return not found or page or report


@contextmanager
def progress_bar(what: str, total: int, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yield a function to call once a step; the bar is on stderr, and only on a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    # Loaded where it is shown: rich takes longer to import than a small file to convert.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[step]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, step="")
        yield lambda step: bar.update(task, advance=1, step=step[-40:])
