"""The error of a tensor does not depend on how it is laid out or cut into pieces."""

from __future__ import annotations

import numpy as np
import pytest

from parity.compare import CHUNK, tensor_error

SIZES = (1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5)


def values(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, size]).standard_normal(size)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("size", SIZES)
def test_the_error_is_the_largest_difference_over_the_largest_value(size: int, dtype: str) -> None:
    reference = values(size).astype(dtype)
    other = (values(size) + 1e-3 * values(size, 1)).astype(dtype)
    found = tensor_error(reference, other)
    scale = np.max(np.abs(reference))
    assert found.scale == scale
    assert found.error == pytest.approx(float(np.max(np.abs(reference - other)) / scale), rel=1e-2)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sign", [1, -1])
def test_one_value_decides_wherever_it_stands(size: int, sign: int) -> None:
    reference = values(size)
    for place in {0, size // 2, size - 1}:
        other = reference.copy()
        other[place] += sign * 7.0
        found = tensor_error(reference, other)
        assert found.error == pytest.approx(7.0 / np.abs(reference).max())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_a_fault_wherever_it_stands(bad: float) -> None:
    reference = values(2 * CHUNK + 9)
    for place in (0, CHUNK, reference.size - 1):
        other = reference.copy()
        other[place] = bad
        for pair in ((reference, other), (other, reference)):
            assert "1 of" in tensor_error(*pair).fault
        assert tensor_error(other, other.copy()).error == 0


def test_strided_views_and_scalars() -> None:
    reference = values(4 * 300 * 200).reshape(4, 300, 200)
    other = np.ascontiguousarray(reference.transpose(2, 0, 1)).transpose(1, 2, 0)
    assert tensor_error(reference, other).error == 0
    assert tensor_error(np.array(2.0), np.array(3.0)).error == 0.5
    assert tensor_error(reference[:0], other[:0]).error is None


def test_zero_tensors_have_an_absolute_error() -> None:
    found = tensor_error(np.zeros(5), np.full(5, 1e-3))
    assert (found.error, found.scale) == (1e-3, 0.0)
