"""A training's updates held against those that a rule would have made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.causes.training.clip import ADDED, Clip
from parity.causes.training.explanation import Decay, Explanation
from parity.causes.training.rates import read
from parity.causes.training.rules import LEFT, Fit, directions, fit
from parity.causes.training.variants import Variant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from parity.causes.training.clip import Gradients
    from parity.causes.training.course import Course, Courses, Reference


@dataclass
class Updates:
    """Paddle's updates, and what torch's settings have to do with them.

    Attributes:
        courses: Both sides of the training.
        reference: Torch's optimizer.
        moved: The parameters.
    """

    courses: Courses
    reference: Reference
    moved: list[Course]

    def __post_init__(self) -> None:
        """Gather torch's rates and decays."""
        steps = range(len(self.courses.losses) + 1)
        self.enough = LEFT[self.courses.dtype]
        self.wanted = [[self.reference.rate(c.name, n) for n in steps] for c in self.moved]
        self.decays = sorted({float(o.get("weight_decay", 0.0)) for o in self.reference.groups})

    def _options(self, course: Course, variant: Variant, decay: float | None) -> dict[str, Any]:
        own = self.reference.groups[self.reference.group_of[course.name]]
        options = dict(variant.change(own))
        if decay is not None and "weight_decay" in options:
            options["weight_decay"] = decay
        return options

    def _gradients(self, variant: Variant) -> list[Gradients]:
        found = [
            variant.clip.of(self.moved, step, lambda c: self.reference.group_of[c.name])
            for step in range(len(self.courses.losses))
        ]
        return _summed(found) if variant.summed else found

    def directions(
        self, variant: Variant, decays: Sequence[float | None]
    ) -> list[list[np.ndarray]] | None:
        """Compute the updates at a rate of 1; None if the rule refuses its options."""
        options = [self._options(c, variant, d) for c, d in zip(self.moved, decays, strict=True)]
        try:
            return directions(variant.kind, options, self.moved, self._gradients(variant))
        except Exception:  # noqa: BLE001 - a rule that refuses such options is a wrong one
            return None

    def tried(self, variant: Variant, decays: Sequence[float | None]) -> list[Fit] | None:
        """Fit rates to a variant with some decays; None if it cannot be computed."""
        found = self.directions(variant, decays)
        if found is None:
            return None
        return [fit(c, d, w) for c, d, w in zip(self.moved, found, self.wanted, strict=True)]

    def misfit(self, variant: Variant) -> float:
        """Give the largest share of an update that torch's rule and rates do not explain."""
        found = self.directions(variant, [None] * len(self.moved))
        if found is None:
            return np.inf
        errors = [
            float(np.abs(move.update - rate * direction).max()) / (np.abs(move.update).max() or 1)
            for course, steps, wanted in zip(self.moved, found, self.wanted, strict=True)
            for move, direction, rate in zip(course.moves, steps, wanted, strict=False)
            if fit(course, steps, wanted).rates[0] is not None
        ]
        return max(errors, default=0.0)

    def clipped(self, clip: Clip) -> Iterator[Variant]:
        """Yield a clipping that torch does not do, its bound read from the first step."""
        if clip.kind != "none":
            return
        kind, own = self.reference.kind, [self._own_decay(course) for course in self.moved]
        plain = Variant("clip-added", "", "no grad_clip, no clip_grad_norm_", kind, clip)
        whole = self.directions(plain, own)
        bare = self.directions(replace(plain, clip=Clip("value", 0.0)), own)
        if whole is None or bare is None:
            return
        factors = [
            float((c.moves[0].update / w[0] - b[0]) @ (a[0] - b[0]) / ((a[0] - b[0]) ** 2).sum())
            for c, a, b, w in zip(self.moved, whole, bare, self.wanted, strict=True)
            if w[0] and (a[0] - b[0]).any()
        ]
        if not factors or not 0 < np.median(factors) < 1 - 1e-6:
            return
        norm = float(np.sqrt(sum(course.moves[0].squares for course in self.moved)))
        for added in (0.0, ADDED):
            other = Clip("global", float(np.median(factors)) * (norm + added), added)
            yield replace(plain, words=f"{other}, torch clips nothing", clip=other)

    def explanation(self, variant: Variant, before: float) -> Explanation | None:
        """Explain the updates by a variant, each parameter with the decay that does so."""
        own = [self._own_decay(course) for course in self.moved]
        fits = self.tried(variant, own)
        if fits is None:
            return None
        chosen: list[tuple[float | None, Fit]] = list(zip(own, fits, strict=True))
        if not self._all_right(chosen):
            self._with_other_decays(variant, chosen)
        if any(f.left > self.enough for _, f in chosen):
            return None
        rates = read([f.rates for _, f in chosen], self.wanted)
        if rates is None:
            return None
        decays = tuple(
            Decay(course, ours, decay)
            for course, ours, (decay, _) in zip(self.moved, own, chosen, strict=True)
            if decay is not None and ours is not None and decay != ours
        )
        left = max(f.left for _, f in chosen)
        return Explanation(variant, decays, rates, tuple(self.moved), left, before)

    def _own_decay(self, course: Course) -> float | None:
        value = self.reference.groups[self.reference.group_of[course.name]].get("weight_decay")
        return None if value is None else float(value)

    def _all_right(self, chosen: Sequence[tuple[float | None, Fit]]) -> bool:
        return all(
            f.left <= self.enough and self._at_torchs_rates(f, wanted)
            for (_, f), wanted in zip(chosen, self.wanted, strict=True)
        )

    def _at_torchs_rates(self, found: Fit, wanted: Sequence[float]) -> bool:
        pairs = zip(found.rates, wanted, strict=False)
        return all(r is None or abs(r - w) <= 1e-4 * abs(w) + 1e-15 for r, w in pairs)

    def _with_other_decays(self, variant: Variant, chosen: list[tuple[float | None, Fit]]) -> None:
        """Give those parameters that need it the first decay that explains them."""
        fixed: list[list[float | None]] = [
            [decay] * len(chosen) for decay in dict.fromkeys((0.0, *self.decays))
        ]
        for decays in (*fixed, self._solved(variant)):
            fits = self.tried(variant, decays)
            for place, found in enumerate(fits or ()):
                _, known = chosen[place]
                wanted = self.wanted[place]
                better = known.left > self.enough >= found.left
                if better or (
                    found.left <= self.enough
                    and self._at_torchs_rates(found, wanted)
                    and not self._at_torchs_rates(known, wanted)
                ):
                    chosen[place] = decays[place], found

    def _solved(self, variant: Variant) -> list[float | None]:
        """Solve for each parameter's decay, where updates are linear in it."""
        none = self.directions(variant, [0.0] * len(self.moved))
        one = self.directions(variant, [1.0] * len(self.moved))
        if none is None or one is None:
            return [None] * len(self.moved)
        return [_decay(c.moves[0].update, a[0], b[0]) for c, a, b in
                zip(self.moved, none, one, strict=True)]  # fmt: skip


def _decay(update: np.ndarray, none: np.ndarray, one: np.ndarray) -> float | None:
    """Solve update = rate · (none + decay · (one − none))."""
    matrix = np.stack([none, one - none], axis=1)
    if update.size < 3 or not update.any() or not np.isfinite(matrix).all():
        return None
    (rate, product), *_ = np.linalg.lstsq(matrix, update, rcond=None)
    found = float(product / rate) if rate else 0.0
    # Rounded as somebody would have written it.
    return float(f"{found:.5g}") if found > 1e-7 else None


def _summed(gradients: list[Gradients]) -> list[Gradients]:
    found: list[Gradients] = []
    total: dict[int, np.ndarray] = {}
    for step in gradients:
        for place, array in enumerate(step):
            if array is not None:
                total[place] = total[place] + array if place in total else array
        found.append([total.get(place) for place in range(len(step))])
    return found
