"""The schedule against a plain reference, boundaries included."""

from __future__ import annotations

from fractions import Fraction
from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdc_port.training.schedule import Schedule


def reference(kind: str, base: float, last: int, warm: int, start: float, t: int) -> float:
    """By logarithms and fractions, so that it shares no arithmetic with the schedule."""
    if kind == "exponential" and t < warm:
        return exp(log(start) + (log(base) - log(start)) * float(Fraction(t, warm)))
    if kind == "linear" and t < warm:
        return float(Fraction(warm - t, warm)) * start + float(Fraction(t, warm)) * base
    warm = 0 if kind == "none" else warm
    left = Fraction(last - t, last - warm)
    return base * exp(0.9 * log(left)) if left > 0 else 0.0


@given(
    kind=st.sampled_from(["none", "linear", "exponential"]),
    base=st.floats(1e-4, 1.0),
    last=st.integers(2, 100_000),
    data=st.data(),
)
def test_agrees_with_the_reference(kind: str, base: float, last: int, data: st.DataObject) -> None:
    warm = data.draw(st.integers(0, last - 1))
    t = data.draw(st.one_of(st.integers(0, last), st.sampled_from([0, warm, last])))
    schedule = Schedule(
        base=base, iterations=last, warmup=kind, warmup_iterations=warm, warmup_start=1e-5
    )
    wanted = reference(kind, base, last, warm, 1e-5, t)
    assert schedule.rate(t) == pytest.approx(wanted, rel=1e-12, abs=1e-300)


def test_the_authors_run() -> None:
    schedule = Schedule(base=0.01, iterations=60_000)
    assert schedule.rate(0) == 1e-5
    assert schedule.rate(500) == pytest.approx((1e-5 * 0.01) ** 0.5)  # the geometric mean
    assert schedule.rate(1000) == 0.01
    assert schedule.rate(30_500) == pytest.approx(0.01 * 0.5**0.9)  # halfway after the warm-up
    assert schedule.rate(60_000) == schedule.rate(70_000) == 0.0


def test_exponential_is_not_linear() -> None:
    linear = Schedule(base=0.01, iterations=60_000, warmup="linear")
    exponential = Schedule(base=0.01, iterations=60_000)
    assert linear.rate(720) - exponential.rate(720) == pytest.approx(0.0058, abs=1e-4)


def test_ends_at_its_end() -> None:
    schedule = Schedule(base=0.01, iterations=80_000, warmup="linear", end=1e-5)
    assert schedule.rate(80_000) == 1e-5
    assert schedule.rate(79_999) > 1e-5


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"warmup_iterations": 10}, "warmup_iterations 10"),
        ({"base": 0.0}, "base 0"),
        ({"end": 0.2}, "end 0.2"),
        ({"warmup_start": 0.5, "warmup_iterations": 5}, "warmup_start"),
        ({"iterations": 0}, "iterations"),
    ],
)
def test_refuses_what_has_no_meaning(wrong: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Schedule(**{"base": 0.1, "iterations": 10, **wrong})  # type: ignore[arg-type]


def test_refuses_a_negative_iteration() -> None:
    with pytest.raises(ValueError, match="from 0"):
        Schedule(base=0.1, iterations=10, warmup="none").rate(-1)
