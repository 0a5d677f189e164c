from __future__ import annotations

import numpy as np
import pytest

from parity.compare import TensorError, tensor_error
from parity.precision import State, judge

GOOD = TensorError(1e-7, 1.0)
BAD = TensorError(1e-3, 1.0)
GOOD64 = TensorError(1e-14, 1.0)
BAD64 = TensorError(1e-7, 1.0)
FAULT = TensorError(None, 0.0, fault="shape")
NOTHING = TensorError(None, 0.0)
NAN = TensorError(float("nan"), 1.0)


@pytest.mark.parametrize(
    ("single", "double", "state"),
    [
        (GOOD, GOOD64, State.MATCH),
        (GOOD, None, State.MATCH),
        (None, GOOD64, State.MATCH),
        (BAD, GOOD64, State.ROUNDING),
        (GOOD, BAD64, State.MISMATCH),
        (BAD, BAD64, State.MISMATCH),
        (BAD, None, State.MISMATCH),
        (None, BAD64, State.MISMATCH),
        (FAULT, GOOD64, State.MISMATCH),
        (GOOD, FAULT, State.MISMATCH),
        (NOTHING, GOOD64, State.NOT_COMPARED),
        (GOOD, NOTHING, State.NOT_COMPARED),
        (None, None, State.NOT_COMPARED),
        (NAN, GOOD64, State.ROUNDING),
        (GOOD, NAN, State.MISMATCH),
        (NAN, None, State.MISMATCH),
        (TensorError(0.1, 3.0, exact=True), TensorError(0.0, 3.0, exact=True), State.ROUNDING),
        (TensorError(0.0, 3.0, exact=True), TensorError(1e-12, 3.0, exact=True), State.MISMATCH),
    ],
)
def test_the_verdict_table(
    single: TensorError | None, double: TensorError | None, state: State
) -> None:
    assert judge(single, double).state is state


def test_only_match_and_rounding_pass() -> None:
    assert {state for state in State if state.passes} == {State.MATCH, State.ROUNDING}


def test_every_verdict_but_a_match_gives_its_reason() -> None:
    for pair in ((BAD, GOOD64), (GOOD, BAD64), (BAD, None), (FAULT, None), (NOTHING, None)):
        assert judge(*pair).reason


def test_the_error_is_relative_to_the_largest_value_of_torch() -> None:
    a = np.array([0.0, -8.0, 1e-9])
    assert tensor_error(a, a + np.array([0, 0, 4e-5])).error == pytest.approx(5e-6)
    assert tensor_error(a * 50, (a + np.array([0, 0, 4e-5])) * 50).error == pytest.approx(5e-6)


def test_an_all_zero_tensor_is_measured_absolutely() -> None:
    zero = np.zeros(3)
    assert tensor_error(zero, zero).error == 0
    assert tensor_error(zero, zero + 1e-3).error == pytest.approx(1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_a_value_not_finite_on_one_side_is_a_fault(value: float, side: int) -> None:
    pair = [np.ones((2, 3)), np.ones((2, 3))]
    pair[side][1, 1] = value
    found = tensor_error(*pair)
    assert found.error is None
    assert "1 of 6 values not finite alike" in found.fault


def test_opposite_infinities_are_a_fault_and_equal_ones_are_not() -> None:
    a = np.array([1.0, np.inf, np.nan])
    assert tensor_error(a, np.array([1.0, -np.inf, np.nan])).fault
    assert tensor_error(a, np.array([1.5, np.inf, np.nan])).error == pytest.approx(0.5)


def test_nothing_finite_and_empty_tensors_are_not_compared() -> None:
    for values in (np.full(3, np.nan), np.zeros((0, 4)), np.zeros(0, int)):
        assert judge(tensor_error(values, values), None).state is State.NOT_COMPARED


def test_finite_values_whose_difference_overflows_are_still_measured() -> None:
    a = np.array([3e38, 1.0], np.float32)
    assert tensor_error(a, -a).error == pytest.approx(2.0)


def test_shape_and_kind_of_number_have_to_agree() -> None:
    a = np.zeros((2, 3))
    assert "shape [2, 3] in torch, [3, 2] in paddle" in tensor_error(a, a.T).fault
    assert "float64 in torch, int64 in paddle" in tensor_error(a, a.astype(int)).fault
    assert not tensor_error(a.astype("f4"), a).fault


def test_integers_and_booleans_compare_exactly() -> None:
    a = np.array([2**40, 1, 2, 3])
    assert tensor_error(a, a.astype("i8")).error == 0
    off = tensor_error(a, a + np.array([1, 0, 0, 0]))
    assert off.error == 0.25
    assert judge(off, None).state is State.MISMATCH
    assert tensor_error(a > 1, a > 2).error == 0.25
