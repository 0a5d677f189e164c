"""Regular expressions that somebody else wrote: each may try without end, so their time is limited.

Python's engine tries one way after the other: ``(a+)+b`` takes twice as long for each further a.
It looks for signals meanwhile, so a timer ends it. Only the main thread has them; elsewhere, and
where there is no such timer, the time is looked at between two matches alone.
"""

from __future__ import annotations

import re
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import thread_time
from types import FrameType
from typing import NoReturn

from converters.errors import InputError, brief

# Processor seconds that the patterns of a file may take in all, and what each match adds.
SECONDS, EACH = 1.0, 20e-6
# What gives a choice; with one of them at most, and a key of a length that people read, a match is
# a matter of microseconds and needs no timer.
CHOICES, LONG = "*+?{|", 1000


class TooLongError(Exception):
    """A match was ended by the timer."""


@dataclass
class Patience:
    """The time that the patterns of one file have together.

    Attributes:
        left: processor seconds.
    """

    left: float = SECONDS


@dataclass(frozen=True)
class Pattern:
    """A regular expression that has to fit a whole name, within a limited time.

    Attributes:
        compiled: the expression.
        where: file and table, for messages.
        patience: the time that it shares with the other patterns of its file.
    """

    compiled: re.Pattern[str]
    where: str
    patience: Patience = field(default_factory=Patience, compare=False, repr=False)

    @classmethod
    def of(cls, text: str, where: str, patience: Patience) -> Pattern:
        """Return the pattern of a text.

        Raises:
            InputError: it is no regular expression.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what may mean something else one day
                return cls(re.compile(text), where, patience)
        except (re.error, OverflowError) as error:
            raise InputError(f"{where} {brief(text)}: {error}") from error
        except RecursionError as error:
            raise InputError(f"{where} {brief(text)}: is nested without end") from error

    @property
    def pattern(self) -> str:
        """The text."""
        return self.compiled.pattern

    def fullmatch(self, name: str) -> re.Match[str] | None:
        """Return how the pattern fits a whole name, None if it does not.

        Raises:
            InputError: the patterns of the file take too long.
        """
        if len(name) < LONG and sum(map(self.pattern.count, CHOICES)) < 2:
            return self.compiled.fullmatch(name)
        began = thread_time()
        try:
            with interrupted_after(self.patience.left):
                found = self.compiled.fullmatch(name)
        except TooLongError:
            self._give_up(name)
        self.patience.left += EACH - (thread_time() - began)
        if self.patience.left <= 0:
            self._give_up(name)
        return found

    def _give_up(self, name: str) -> NoReturn:
        raise InputError(
            f"{self.where} {brief(self.pattern)}: takes more than a second, at last for "
            f"{brief(name)}; write it without repetitions inside or beside each other, as in (a+)+"
        )


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """End what takes longer, where that is possible.

    Raises:
        TooLongError: it took so many processor seconds.
    """
    ours = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if not ours:
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _end)
    signal.setitimer(signal.ITIMER_VIRTUAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _end(_: int, __: FrameType | None) -> NoReturn:
    raise TooLongError
