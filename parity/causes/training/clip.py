"""Clipping: what is done to gradients between the backward pass and the optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from parity.causes.training.course import Course, Reference

Gradients = list["np.ndarray | None"]
#: torch adds it to the norm, paddle's clip_grad_norm_ too; paddle's ClipGradBy… do not.
ADDED = 1e-6
CLOSE = 1e-7


@dataclass(frozen=True)
class Clip:
    """One way to clip.

    Attributes:
        kind: 'none'; 'value': each element; else by the norm of all, of a group or of a tensor.
        bound: The largest value or norm.
        added: To the norm, before the bound is divided by it.
    """

    kind: Literal["none", "value", "global", "group", "tensor"] = "none"
    bound: float = 0.0
    added: float = ADDED

    def __str__(self) -> str:
        """Say what it is."""
        if self.kind == "none":
            return "no clipping"
        if self.kind == "value":
            return f"each value clipped at {self.bound:.6g}"
        whole = {"global": "all gradients", "group": "each group's gradients"}
        return f"the norm of {whole.get(self.kind, 'each tensor')} clipped at {self.bound:.6g}"

    def of(
        self, courses: Sequence[Course], step: int, group_of: Callable[[Course], Hashable]
    ) -> Gradients:
        """Clip what backward left in one step.

        Args:
            courses: All parameters whose norms count.
            step: Its number.
            group_of: The optimizer's group of a parameter.
        """
        moves = [course.moves[step] for course in courses]
        if self.kind == "none":
            return [move.gradient for move in moves]
        if self.kind == "value":
            return [
                None if m.gradient is None else np.clip(m.gradient, -self.bound, self.bound)
                for m in moves
            ]
        keys = [self._part(place, course, group_of) for place, course in enumerate(courses)]
        squares: dict[Hashable, float] = {}
        for key, move in zip(keys, moves, strict=True):
            squares[key] = squares.get(key, 0.0) + move.squares
        return [
            None if m.gradient is None else m.gradient * self._factor(squares[key])
            for key, m in zip(keys, moves, strict=True)
        ]

    def _part(self, place: int, course: Course, group_of: Callable[[Course], Hashable]) -> Hashable:
        if self.kind == "group":
            return group_of(course)
        return place if self.kind == "tensor" else 0

    def _factor(self, squares: float) -> float:
        norm = float(np.sqrt(squares)) + self.added
        return min(1.0, self.bound / norm) if norm else 1.0


def clip_of(reference: Reference, courses: Sequence[Course]) -> Clip | None:
    """Find out how torch's training clips; None if it does something else to its gradients.

    Args:
        reference: What torch's optimizer got.
        courses: What backward left, of its parameters.
    """

    def holds(clip: Clip) -> bool:
        return all(
            _equal(found, reference.used[course.name][step])
            for step in range(len(courses[0].moves))
            for course, found in zip(
                courses, clip.of(courses, step, lambda c: reference.group_of[c.name]), strict=True
            )
        )

    return next((clip for clip in _candidates(reference, courses) if holds(clip)), None)


def _candidates(reference: Reference, courses: Sequence[Course]) -> list[Clip]:
    found = [Clip()]
    for step in range(len(courses[0].moves)):
        pairs = [(course.moves[step], reference.used[course.name][step]) for course in courses]
        factors = [
            (float(np.abs(used).max()) / float(np.abs(move.gradient).max()), move, used)
            for move, used in pairs
            if used is not None and move.gradient is not None and move.gradient.any()
        ]
        clipped = [one for one in factors if one[0] < 1 - CLOSE]
        if not clipped:
            continue
        factor, move, used = clipped[0]
        whole = float(np.sqrt(sum(m.squares for m, _ in pairs)))
        found += [
            Clip("global", factor * (whole + ADDED)),
            Clip("value", float(np.abs(used).max())),
            Clip("tensor", factor * (float(np.sqrt(move.squares)) + ADDED)),
        ]
    return found


def _equal(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    scale = float(np.abs(other).max(initial=0.0))
    return float(np.abs(one - other).max(initial=0.0)) <= CLOSE * scale
