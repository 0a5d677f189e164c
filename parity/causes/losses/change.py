"""One thing that a port's loss may do otherwise than torch's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from parity.causes.losses.calls import Site


@dataclass(frozen=True)
class Change:
    """One thing that paddle's loss may do otherwise.

    Attributes:
        cause: What it is called.
        words: What paddle does; with {value} where that was solved for.
        mend: What to write instead.
        site: The calls of torch's that it concerns.
        instead: What they come to; is given the value where one is solved for.
        start: Torch's value, where another is solved for.
        linear: The loss is linear in the value.
        special: A name for particular values that are found: (value, cause).
        most: The largest it may be, where the value is a whole number.
    """

    cause: str
    words: str
    mend: str
    site: Site
    instead: Callable[..., Any]
    start: float | None = None
    linear: bool = False
    special: tuple[tuple[float, str], ...] = ()
    most: int = 0
