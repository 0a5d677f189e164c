"""What a tool made of the planted bugs and of the correct ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.port_bugs.bug import Bug


@dataclass(frozen=True)
class Outcome:
    """What came of one planted bug.

    Attributes:
        bug: that was planted.
        found: whether the port was called faulty.
        apart: whether, besides, the same check passes the correct port.
        placed: whether the right layer was named.
        asked: whether there was an answer at all.
    """

    bug: Bug
    found: bool
    apart: bool
    placed: bool
    asked: bool = True


@dataclass(frozen=True)
class Record:
    """What a tool made of everything.

    Attributes:
        name: of the tool and its setting.
        outcomes: one a bug.
        alarms: by correct port, whether it was called faulty; None where there was no answer.
    """

    name: str
    outcomes: tuple[Outcome, ...]
    alarms: Mapping[str, bool | None]
