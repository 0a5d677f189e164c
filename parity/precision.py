"""From two errors to a verdict: does a difference come from meaning or from arithmetic?

A float32 error alone cannot tell. A correct port of STDC2 shows 2 % in one gradient from ReLU kinks
at near-zero values, and a wrong BN epsilon hides below 1e-5. In float64 the two part: arithmetic
leaves about 1e-12, a difference in meaning stays as large as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parity.backends import FloatType
    from parity.compare import TensorError

#: Relative float32 error that still counts as equal; a correct network shows about 1e-6.
TOLERANCE = 1e-5
#: The same in float64. Correct STDC networks show up to 4e-12 after all their layers; the smallest
#: differences in meaning worth the name (an epsilon of 1.1e-5 for 1e-5) show 1e-7 and more.
TOLERANCE_FLOAT64 = 1e-11

#: Bound of the float64 errors of a training, whose steps amplify rounding: after 10 steps of
#: STDC2-Seg gradients are 6e-7 apart, parameters 5e-10.
TOLERANCE_TRAINING = 1e-6

#: The same of one step alone, started from torch's state.
TOLERANCE_STEP = 1e-9

#: What can be checked; see `parity.check.check_parity`.
CHECKS = ("forward", "backward", "loss", "train")
#: The runs that a choice of precision stands for.
PRECISIONS: dict[str, tuple[FloatType, ...]] = {
    "float32": ("float32",),
    "float64": ("float64",),
    "both": ("float32", "float64"),
}


class State(str, Enum):
    """The verdict on one layer; only `MATCH` and `ROUNDING` pass."""

    MATCH = "match"
    ROUNDING = "rounding"
    MISMATCH = "mismatch"
    NOT_COMPARED = "not compared"

    @property
    def passes(self) -> bool:
        """Whether a layer in this state is shown to be equal."""
        return self in {State.MATCH, State.ROUNDING}


@dataclass(frozen=True)
class Floor:
    """A kernel that works in single precision inside, though its tensors are float64.

    Attributes:
        operation: What does so, as shown to people: 'bilinear resize'.
        error: How far that kernel was from the exact result, relative to the largest value.
    """

    operation: str
    error: float

    def __str__(self) -> str:
        """Say what it is and how large."""
        return f"float64 floor of {self.operation}, {self.error:.1e}: computed exactly here"


@dataclass(frozen=True)
class Verdict:
    """A state and the reason for it, '' where the errors say everything."""

    state: State
    reason: str = ""


def judge(
    single: TensorError | None,
    double: TensorError | None,
    *,
    tol: float = TOLERANCE,
    tol64: float = TOLERANCE_FLOAT64,
) -> Verdict:
    """Give the verdict on one tensor from its errors in float32 and float64.

    Args:
        single: The float32 run's error; None if there was no such run.
        double: The float64 run's error; None if there was no such run.
        tol: Bound of the float32 error.
        tol64: Bound of the float64 error.
    """
    runs = [("float32", single), ("float64", double)]
    errors = [(name, error) for name, error in runs if error is not None]
    for name, error in errors:
        if error.fault:
            return Verdict(State.MISMATCH, f"{error.fault} ({name})")
    if not errors or any(error.error is None for _, error in errors):
        return Verdict(State.NOT_COMPARED, "nothing finite to compare")
    if double is not None and not within(double, tol64):
        return Verdict(State.MISMATCH, _told(double, "float64 disagrees: a difference in meaning"))
    not_finite = _not_finite(max(error.alike for _, error in errors))
    if single is None or within(single, tol):
        return Verdict(State.MATCH, not_finite)
    if double is None:
        reason = "float32 differs, and no float64 run was made to ask"
        return Verdict(State.MISMATCH, _told(single, reason))
    reason = _told(single, "float32 differs, float64 agrees: arithmetic, not meaning")
    return Verdict(State.ROUNDING, "; ".join(filter(None, (reason, not_finite))))


def _not_finite(count: int) -> str:
    """Say that values match that nobody expects, '' if there are none."""
    return f"{count} values are NaN or infinite, alike on both sides" if count else ""


def _told(error: TensorError, reason: str) -> str:
    """Say why, and what else is known: what is a tie is no difference in meaning."""
    return f"compared exactly, {error.error:.1%} differ: {error.note}" if error.note else reason


def within(error: TensorError, bound: float) -> bool:
    """Tell whether an error is known and within a bound; integers have no tolerance."""
    # Written so that a NaN fails.
    return error.error is not None and error.error <= (0.0 if error.exact else bound)
