"""What the converter says when it cannot or will not go on."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Sequence

from converters.few import in_few

_LONGEST = 400
# Of any line of a message, which holds a path besides a name.
_LONGEST_LINE = 900
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


class ConverterError(Exception):
    """Base of all errors of this package; its text is meant for the user as it stands.

    Lines that no one could read, as a name of a file may make them, lose their middle; what a
    terminal would obey is spelt out, a line break, too.

    Args:
        lines: of the text.
    """

    def __init__(self, *lines: str) -> None:
        shown = (shortened(one_line(line), _LONGEST_LINE) for line in lines)
        super().__init__("\n".join(shown))


class InputError(ConverterError):
    """The work could not be done: an unreadable file, an unknown name, a bad argument."""


class RefusedError(ConverterError):
    """The work was checked and falls short; nothing was written.

    Its text tells many reasons in few lines.

    Attributes:
        problems: every reason, one line each.
    """

    def __init__(self, summary: str, problems: Sequence[str], mend: str = "") -> None:
        self.problems = tuple(problems)
        lines = [summary, *(f"  {shortened(problem)}" for problem in in_few(self.problems))]
        super().__init__(*lines, *mend.splitlines())


def printable(text: str) -> str:
    """Return a text with what a terminal would obey instead of showing it, spelt with a backslash.

    A file and a key may have any name: colours, titles, what turns the direction of writing.
    """
    if all(line.isprintable() for line in text.split("\n")):
        return text
    return "".join(
        one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode()
        for one in text
    )


def one_line(text: str) -> str:
    """Return a text with all that is not simply shown spelt with a backslash, line breaks too."""
    return printable(text).replace("\n", r"\n")


def indented(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a message: a head, and what it is about set in below it."""
    for number, line in enumerate(lines):
        yield f"  {line}" if number else line


def shortened(line: str, longest: int = _LONGEST) -> str:
    """Return a line without its middle if it is too long to be read, as some names make it."""
    if len(line) <= longest:
        return line
    return f"{line[: longest // 2]} … {line[-longest // 2 :]} ({len(line)} characters)"


def brief(value: object) -> str:
    """Return what a file gave on one printable line, however long, deep or odd it is."""
    if isinstance(value, UnicodeError):
        return f"{type(value).__name__}: {getattr(value, 'reason', '')}"
    return _SHORT.repr(value)
