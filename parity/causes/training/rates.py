"""From the rates that the updates were made with to what is wrong with them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Rates that differ by this share are equal.
CLOSE = 1e-4


@dataclass(frozen=True)
class Rates:
    """What the rates of all parameters come to.

    Attributes:
        base: Paddle's rate by step, of the parameters that most share.
        wanted: Torch's, of the same; one step more.
        factors: What the others' rates are beside it, by parameter.
    """

    base: tuple[float, ...]
    wanted: tuple[float, ...]
    factors: Mapping[int, float]

    @property
    def cause(self) -> str:
        """What the course of the rate is called; '' if it is torch's."""
        steps = len(self.base)
        if _same(self.base, self.wanted[:steps]):
            return ""
        if _same(self.base, self.wanted[1 : steps + 1]):
            return "step-order"
        ratios = [a / b for a, b in zip(self.base, self.wanted, strict=False) if b]
        if _same(ratios, [ratios[0]] * len(ratios)) and steps > 1:
            return "learning-rate"
        return "warm-up" if self._warms_up() else "schedule-different"

    def _warms_up(self) -> bool:
        """Exponential in torch, linear in paddle, or the reverse, with the same ends."""
        for end in range(len(self.base) - 1, 1, -1):
            a, b = np.array(self.base[: end + 1]), np.array(self.wanted[: end + 1])
            if not _same(a[[0, -1]], b[[0, -1]]) or (b <= 0).any() or (a <= 0).any():
                continue
            if not _same(self.base[end:], self.wanted[end : len(self.base)]):
                continue
            ends = float(b[0]), float(b[-1]), end + 1
            straight, curved = np.linspace(*ends), np.geomspace(*ends)
            for one, other in ((a, b), (b, a)):
                if _same(one, straight) and _same(other, curved):
                    return True
        return False

    @property
    def remark(self) -> str:
        """What else the numbers tell."""
        base, wanted = np.array(self.base), np.array(self.wanted[: len(self.base)])
        if len(base) < 3:
            return ""
        if _same(base, [base[0]] * len(base)):
            return "paddle's rate never changes: is the schedule stepped?"
        if _same(base[1:], wanted[:-1]):
            return "paddle's rate comes one step late"
        slope, end = np.polyfit(wanted, base, 1) if wanted.std() else (0.0, 0.0)
        if _same(slope * wanted + end, base) and end > CLOSE * base.max():
            start = wanted.max()
            if abs(slope - (1 - end / start)) < CLOSE:
                return (
                    f"it ends at {end:.3g} and not at 0: PolynomialDecay's end_lr is 1e-4 unless "
                    "it is given"
                )
        return ""


def read(
    rates: Sequence[Sequence[float | None]], wanted: Sequence[Sequence[float]]
) -> Rates | None:
    """Part the rates into a course of steps and a factor for each parameter.

    Args:
        rates: Paddle's by parameter, then by step.
        wanted: Torch's, one step more.

    Returns:
        None if they are no such product: then something else is wrong.
    """
    base = _base(rates, wanted)
    if base is None:
        return None
    course, own = base
    scale = [a / b if b else 1.0 for a, b in zip(course, own, strict=False)]
    factors: dict[int, float] = {}
    for place, (found, ours) in enumerate(zip(rates, wanted, strict=True)):
        expected = [b * s if b else a for a, b, s in zip(course, ours, scale, strict=False)]
        known = [(r, e) for r, e in zip(found, expected, strict=True) if r is not None]
        ratios = [r / e for r, e in known if e]
        if any(abs(r) > 1e-12 for r, e in known if not e):
            return None
        if not ratios:
            continue
        if not _same(ratios, [ratios[0]] * len(ratios)):
            return None
        if abs(ratios[0] - 1) > CLOSE:
            factors[place] = float(np.median(ratios))
    return Rates(course, own, factors)


def _base(
    rates: Sequence[Sequence[float | None]], wanted: Sequence[Sequence[float]]
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Give the course of rates that most parameters share, and torch's of the same."""
    whole = [
        (tuple(float(r) for r in found if r is not None), tuple(ours))
        for found, ours in zip(rates, wanted, strict=True)
        if None not in found
    ]
    if not whole:
        return None
    shared = Counter((tuple(f"{r:.3e}" for r in found), ours) for found, ours in whole)
    most = shared.most_common(1)[0][0]
    right = [one for one in whole if _same(one[0], one[1][: len(one[0])])]
    chosen = [(f, o) for f, o in whole if (tuple(f"{r:.3e}" for r in f), o) == most]
    ours = (right or chosen)[0][1]
    rows = [f for f, o in (right or chosen) if o == ours]
    return tuple(float(x) for x in np.median(rows, axis=0)), ours


def _same(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> bool:
    a, b = np.asarray(one, float), np.asarray(other, float)
    return a.shape == b.shape and bool(
        (np.abs(a - b) <= CLOSE * np.maximum(np.abs(a), np.abs(b)) + 1e-15).all()
    )
