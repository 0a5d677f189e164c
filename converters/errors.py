"""What the converter says when it cannot or will not go on."""

from __future__ import annotations

from collections.abc import Sequence


class ConverterError(Exception):
    """Base of all errors of this package; its text is meant for the user as it stands."""


class InputError(ConverterError):
    """The work could not be done: an unreadable file, an unknown name, a bad argument."""


class RefusedError(ConverterError):
    """The work was checked and falls short; nothing was written.

    Attributes:
        problems: every reason, one line each.
    """

    def __init__(self, summary: str, problems: Sequence[str], mend: str = "") -> None:
        self.problems = tuple(problems)
        lines = [summary, *(f"  {problem}" for problem in self.problems)]
        super().__init__("\n".join([*lines, mend] if mend else lines))
