"""How a sub-command ends: the result shown and written, errors as one line, the exit code."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from converters import ConverterError, RefusedError
from converters.command_line import (
    COULD_NOT,
    FALLS_SHORT,
    HOLDS,
    interruptible,
    stop,
    write_json,
)
from converters.errors import one_line
from converters.stopping import end_in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from parity.result import ParityResult


@contextmanager
def errors_as_exit_codes() -> Iterator[None]:
    """End the command with one line and exit code 2 when it cannot be done.

    A converter's refusal is a verdict on the weights: exit code 1, with its reasons.
    """
    from parity.job import JobError
    from parity.record import NetworkError

    end_in_order()
    try:
        with interruptible():
            yield
    except RefusedError as error:
        stop(error, FALLS_SHORT)
    except (JobError, NetworkError, ConverterError, ValueError, OSError) as error:
        give_up(str(error))
    except Exception as error:  # noqa: BLE001 - 1 must mean 'checked', never 'crashed'
        give_up(f"unexpected {type(error).__name__}: {error}")


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[None]:
    """Show on stderr what a check is at; nothing where that is no terminal.

    Args:
        what: Shown until the check says more.
        quiet: Show nothing.
    """
    from rich.console import Console
    from rich.text import Text

    from parity.progress import listening
    from parity.report.words import printable

    def line(text: str) -> Text:
        # One line, however narrow the terminal: a name may be long, and holds no markup.
        return Text(printable(text), no_wrap=True, overflow="ellipsis")

    console = Console(stderr=True, quiet=quiet)
    status = console.status(line(what))
    with status, listening(lambda text: status.update(line(text))):
        yield


def give_up(message: str) -> NoReturn:
    """End the command: it could not be done."""
    click.echo(one_line(f"stdc-parity: {' '.join(message.split())}"), err=True)
    sys.exit(COULD_NOT)


def report(result: ParityResult, title: str, options: Mapping[str, Any]) -> None:
    """Show a result and write the files that were asked for.

    Args:
        result: What the check found.
        title: What was compared.
        options: The command's: those of `SHOWING` and the common ones.
    """
    from rich.console import Console

    from parity.report.terminal import show

    if not options["quiet"]:
        click.echo(one_line(title))
        show(result, Console(), everything=options["everything"])
    if options["json_path"] is not None:
        write_json(options["json_path"], result.to_json(title))
    if options["html_path"] is not None:
        result.save_html(options["html_path"], title)


def end(result: ParityResult) -> NoReturn:
    """End the command with the code of its verdict."""
    sys.exit(HOLDS if result else FALLS_SHORT)
