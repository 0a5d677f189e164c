"""NaN and infinities are never equal by accident, and where both sides have them it is said."""

from __future__ import annotations

import numpy as np
import pytest

from parity.compare import tensor_error
from parity.precision import State, judge

VALUES = np.linspace(-1, 1, 12).reshape(3, 4)


def with_value(value: float, *places: tuple[int, int]) -> np.ndarray:
    made = VALUES.copy()
    for place in places:
        made[place] = value
    return made


def state(reference: np.ndarray, other: np.ndarray) -> tuple[State, str]:
    errors = [
        tensor_error(*(one.astype(name) for one in (reference, other)))
        for name in ("float32", "float64")
    ]
    verdict = judge(*errors)
    return verdict.state, verdict.reason


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_on_one_side_is_a_mismatch(bad: float) -> None:
    for pair in ((VALUES, with_value(bad, (1, 1))), (with_value(bad, (1, 1)), VALUES)):
        assert state(*pair)[0] is State.MISMATCH


@pytest.mark.parametrize(
    ("ours", "theirs"), [(np.inf, -np.inf), (np.nan, np.inf), (-np.inf, np.nan)]
)
def test_of_two_kinds_is_a_mismatch(ours: float, theirs: float) -> None:
    pair = with_value(ours, (1, 1)), with_value(theirs, (1, 1))
    assert state(*pair)[0] is State.MISMATCH


def test_at_two_places_is_a_mismatch() -> None:
    pair = with_value(np.nan, (1, 1)), with_value(np.nan, (1, 2))
    assert state(*pair)[0] is State.MISMATCH


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_at_the_same_places_on_both_sides_is_said(bad: float) -> None:
    made = with_value(bad, (1, 1), (2, 0))
    told = "2 values are NaN or infinite, alike on both sides"
    assert state(made, made.copy()) == (State.MATCH, told)
    assert state(made, made + 0.1)[0] is State.MISMATCH
    assert state(VALUES, VALUES.copy()) == (State.MATCH, "")


def test_nothing_finite_is_not_compared() -> None:
    none = np.full((2, 2), np.nan)
    assert state(none, none.copy())[0] is State.NOT_COMPARED
