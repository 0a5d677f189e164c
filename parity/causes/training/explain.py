"""Which departure from torch's training makes the very updates that paddle's made?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from parity.causes.training.clip import Clip, clip_of
from parity.causes.training.rates import read
from parity.causes.training.updates import Updates
from parity.causes.training.variants import Variant, variants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parity.causes.training.course import Course, Courses
    from parity.causes.training.explanation import Explanation


def follows(courses: Courses) -> bool:
    """Tell whether torch's own updates are what its optimizer's rule and options say."""
    reference = courses.reference
    assert reference is not None  # noqa: S101 - the caller looked
    used = [
        replace(
            course,
            moves=tuple(
                replace(move, gradient=gradient)
                for move, gradient in zip(course.moves, reference.used[name], strict=True)
            ),
        )
        for name, course in courses.ours.items()
        if name in reference.group_of
    ]
    found = Updates(courses, reference, used)
    plain = Variant("", "", "", reference.kind, Clip())
    fits = found.tried(plain, [None] * len(used))
    if fits is None or max((f.left for f in fits), default=0.0) > found.enough:
        return False
    rates = read([f.rates for f in fits], found.wanted)
    return rates is not None and not rates.cause and not rates.factors


def explained(courses: Courses, moved: Sequence[Course]) -> Explanation | None:
    """Find the departure that explains all updates and assumes least; None if none does.

    Args:
        courses: Both sides of the training.
        moved: Paddle's parameters that both sides train.
    """
    reference = courses.reference
    assert reference is not None  # noqa: S101 - the caller looked
    mine = [c for name, c in courses.ours.items() if name in reference.group_of]
    clip = clip_of(reference, mine)
    if clip is None or not moved:
        return None
    updates = Updates(courses, reference, list(moved))
    best: Explanation | None = None
    before = np.inf
    for variant in (*variants(reference, clip), *updates.clipped(clip)):
        if not variant.cause:
            before = updates.misfit(variant)
        found = updates.explanation(variant, before)
        if found is not None and (best is None or found.cost < best.cost):
            best = found
        if best is not None and best.cost == (0, False):
            break
    return best
