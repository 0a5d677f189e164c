"""The processes that train together, one a device; everything else asks here.

Whoever is alone is told so without Paddle's distributed part being touched. Two things are ever
said between processes: small plain values, which everybody hears of everybody, and sums of
tensors. A process that fails says so in place of its next value, so that all end with its reason;
hence whatever can fail in one process alone is followed by a `gather` before the next `add`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from converters.errors import InputError


class ElsewhereError(InputError):
    """Another process failed, and this one ends with it."""


class Processes:
    """This process among those that train together; the base class is one that is alone.

    Attributes:
        rank: its number, from 0.
        count: of all.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files and talks to people."""
        return self.rank == 0

    def portion(self, size: int) -> slice:
        """Which of `size` things in a row are this process's; shares differ by one at most."""
        return portion(size, self.rank, self.count)

    def gather(self, value: Any) -> list[Any]:
        """Tell all a plain value, and hear theirs by rank.

        Raises:
            ElsewhereError: a process failed, or is gone.
        """
        return [value]

    def add(self, tensors: Sequence[Any], share: float) -> None:
        """Replace float tensors by their sum over the processes, each times its own share.

        Raises:
            ElsewhereError: a process is gone.
        """

    @contextmanager
    def together(self) -> Iterator[None]:
        """What ends one process with an error ends all of them.

        Raises:
            ElsewhereError: in those that did not fail themselves.
        """
        yield

    def require_same(self, what: str, fact: Callable[[], Any]) -> None:
        """Refuse processes that were started differently.

        Args:
            what: is compared, in words.
            fact: gives it, as a plain value.

        Raises:
            InputError: it is not the same in all of them.
        """


ALONE = Processes()


def portion(size: int, number: int, parts: int) -> slice:
    """Part `number` of `size` things in a row, cut into `parts` that differ by one at most."""
    return slice(size * number // parts, size * (number + 1) // parts)


def count_started() -> int:
    """How many processes the launcher started together, 1 without one."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def is_first() -> bool:
    """Whether this is the first of the processes, or alone."""
    return os.environ.get("PADDLE_TRAINER_ID", "0") == "0"


def started_together() -> Processes:
    """This process among those that were started together with it."""
    if count_started() == 1:
        return ALONE
    from stdc_port.training.group import Group

    return Group()


def require_alone(what: str) -> None:
    """Refuse to do in several processes what one has to.

    Raises:
        InputError: a launcher started several.
    """
    if count_started() > 1:
        raise InputError(
            f"{what} was started as {count_started()} processes by a launcher; start it without one"
        )
