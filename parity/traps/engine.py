"""Measuring the catalogue against the installed versions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from parity.traps.trap import CannotRunError, Measured, Trap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Standing(str, Enum):
    """What became of a trap in the installed versions."""

    MENDED = "mended"
    NOT_MENDED = "not mended"
    GONE = "not there"
    CANNOT_RUN = "could not be run"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Outcome:
    """One trap and what was found.

    Attributes:
        trap: The catalogue's entry.
        standing: What became of it.
        measured: The figures, None where it was not run.
        why: Why it was not run, '' where it was.
    """

    trap: Trap
    standing: Standing
    measured: Measured | None = None
    why: str = ""

    @property
    def exists(self) -> bool | None:
        """Whether the trap exists in the installed versions; None where it was not run."""
        if self.measured is None:
            return None
        return self.standing in {Standing.MENDED, Standing.NOT_MENDED}


def measure_all(
    traps: Iterable[Trap], note: Callable[[str], None] = lambda _: None
) -> Iterator[Outcome]:
    """Measure traps one after the other, each from its own seed.

    Args:
        traps: Entries of the catalogue.
        note: Told each slug before it is measured.
    """
    for trap in traps:
        note(trap.slug)
        yield measure(trap)


def measure(trap: Trap) -> Outcome:
    """Measure one trap; that it cannot be run is an outcome, not an error."""
    if trap.measure is None:
        return Outcome(trap, Standing.NOT_RUN, why=trap.reason)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _seed(trap.number)
            found = trap.measure()
    except CannotRunError as error:
        return Outcome(trap, Standing.CANNOT_RUN, why=str(error))
    except Exception as error:  # noqa: BLE001 - another version may lack or refuse anything
        why = f"with this version: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return Outcome(trap, Standing.CANNOT_RUN, why=why)
    return Outcome(trap, _standing(trap, found), found)


def _seed(number: int) -> None:
    import paddle
    import torch

    torch.manual_seed(number)
    paddle.seed(number)


def _standing(trap: Trap, found: Measured) -> Standing:
    # Written so that a NaN neither exists quietly nor counts as mended.
    if found.before <= trap.shows:
        return Standing.GONE
    return Standing.MENDED if found.after <= trap.bound else Standing.NOT_MENDED
