"""What a trap is: an entry of the catalogue, and what measuring it gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Measure = Callable[[], "Measured"]


class CannotRunError(Exception):
    """A trap cannot be measured with what is installed; the message says what is missing."""


@dataclass(frozen=True)
class Measured:
    """One trap, measured.

    Attributes:
        before: The difference as a port usually has it; infinite where nothing can be compared
            (shapes differ, a NaN on one side).
        after: The difference with the mend.
        note: What was measured; '' for the largest absolute difference of the outputs.
    """

    before: float
    after: float
    note: str = ""


def several(parts: Mapping[str, tuple[float, float]]) -> Measured:
    """Put the parts of one trap together: the smallest difference before, the largest after.

    Args:
        parts: Difference before and after the mend by what was measured.
    """
    note = ", ".join(f"{what} {figure(before)}" for what, (before, _) in parts.items())
    return Measured(
        min(before for before, _ in parts.values()),
        max(after for _, after in parts.values()),
        note,
    )


def figure(value: float) -> str:
    """Spell a difference for people."""
    if math.isinf(value):
        return "not comparable"
    return f"{value:.0f}" if value == int(value) and value < 1e6 else f"{value:.3g}"


@dataclass(frozen=True)
class Trap:
    """A place where Paddle does, without a word, something else than torch.

    Attributes:
        number: Its place in the catalogue.
        slug: Its name.
        title: What it is about.
        torch: What torch, or the authors, do.
        paddle: What Paddle, or the usual port, does.
        mend: How to make them agree.
        source: The public issue that tells of it, or 'measured'.
        shows: The trap exists where the difference exceeds this.
        bound: The mend mends where it leaves no more than this.
        measure: Runs it; None where that cannot be done here.
        reason: Why it is not run, '' where it is.
    """

    number: int
    slug: str
    title: str
    torch: str
    paddle: str
    mend: str
    source: str = "measured"
    shows: float = 0.0
    bound: float = 0.0
    measure: Measure | None = None
    reason: str = ""


def trap(
    number: int,
    slug: str,
    *,
    torch: str,
    paddle: str,
    mend: str,
    source: str = "measured",
    shows: float = 1e-3,
    bound: float = 1e-5,
) -> Callable[[Measure], Trap]:
    """Make a measuring function an entry of the catalogue; its docstring is the title.

    The arguments are those of `Trap`.
    """

    def entry(measure: Measure) -> Trap:
        title = (measure.__doc__ or slug).partition("\n")[0].removesuffix(".")
        return Trap(number, slug, title, torch, paddle, mend, source, shows, bound, measure)

    return entry
