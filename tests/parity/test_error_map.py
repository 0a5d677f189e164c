from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import paddle
import parity_toys as toys
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from parity import check_parity
from parity.compare import tensor_error
from parity.error_map import LARGEST_SIDE, MOST_MAPS, ErrorMap, FirstMaps, error_map


def drawn(reference: np.ndarray, other: np.ndarray, bound: float = 1e-6) -> ErrorMap:
    found = error_map(reference, other, bound)
    assert found is not None
    return found


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).uniform(0.5, 1.0, shape)


@given(
    arrays.arrays(
        np.float64,
        arrays.array_shapes(min_dims=1, max_dims=5, max_side=9),
        elements=st.floats(-1e3, 1e3, width=32),
    ),
    st.integers(0, 2**31),
)
def test_the_largest_cell_is_the_tensors_error(reference: np.ndarray, seed: int) -> None:
    other = reference + np.random.default_rng(seed).normal(size=reference.shape)
    found = drawn(reference, other)
    assert max(map(max, found.cells)) == tensor_error(reference, other).error
    whole = reference.shape
    pooled = whole[:-2] if len(whole) > 2 and whole[-2:] == (1, 1) else whole
    assert found.size == (pooled[-2:] if len(pooled) > 2 else (1, pooled[-1]))


@pytest.mark.parametrize(("height", "width"), [(1000, 7), (129, 257), (128, 128), (512, 1024)])
def test_a_large_image_is_shrunk_and_no_error_is_lost(height: int, width: int) -> None:
    reference = image(2, 1, height, width)
    for row, column in [(0, 0), (height - 1, width - 1), (height // 3, width // 2)]:
        other = reference.copy()
        other[1, 0, row, column] += 1.0
        found = drawn(reference, other)
        assert max(len(found.cells), len(found.cells[0])) <= LARGEST_SIDE
        cells = np.array(found.cells)
        assert np.unravel_index(cells.argmax(), cells.shape) == (
            row // found.cell,
            column // found.cell,
        )
        assert found.share == 1 / (height * width)


@given(st.integers(1, 3), st.integers(24, 40), st.integers(24, 40))
def test_what_differs_in_a_ring_alone_lies_at_the_border(
    ring: int, height: int, width: int
) -> None:
    reference = image(1, 2, height, width)
    other = reference * 1.5
    inner = (..., slice(ring, -ring), slice(ring, -ring))
    other[inner] = reference[inner]
    border = drawn(reference, other).border
    assert border is not None
    assert (border.width, border.alone, border.interior) == (ring, True, 0.0)
    assert "only at the border" in str(border)
    other[..., height // 2, width // 2] += 1.0
    border = drawn(reference, other).border
    assert border is not None
    assert not border.alone
    assert border.interior > 0.1


def test_one_edge_is_border_enough_and_no_difference_is_none() -> None:
    reference = image(1, 1, 12, 12)
    other = reference.copy()
    assert str(drawn(reference, other)).startswith("beyond the tolerance in 0 %")
    other[..., 0, :] += 0.1
    assert "only at the border, the outermost row and column" in str(drawn(reference, other))


def test_a_vector_is_a_strip_without_border() -> None:
    reference = image(4, 10)
    other = reference.copy()
    other[2, 7] += 1.0
    found = drawn(reference, other)
    assert (len(found.cells), found.border) == (1, None)
    assert int(np.argmax(found.cells[0])) == 7
    assert drawn(image(3), image(3) + 1).size == (1, 3)


def test_what_cannot_be_drawn_is_not() -> None:
    assert error_map(np.ones(()), np.zeros(()), 0.1) is None
    assert error_map(np.ones((2, 0)), np.ones((2, 0)), 0.1) is None
    assert error_map(np.ones((2, 3)), np.ones((3, 2)), 0.1) is None


def test_values_not_finite_alike_are_infinitely_wrong_and_the_rest_keeps_its_figures() -> None:
    reference = np.array([np.nan, np.inf, 2.0, 1.0, np.nan])
    other = np.array([np.nan, np.inf, 1.0, np.inf, 0.0])
    assert drawn(reference, other).cells == ((0.0, 0.0, 0.5, math.inf, math.inf),)


def test_integers_differ_or_not() -> None:
    assert drawn(np.array([1, 5, 9]), np.array([1, 5, 100])).cells == ((0.0, 0.0, 1.0),)


def maps(result: Any) -> list[ErrorMap]:
    tensors = [t for x in result.layers for t in (*x.own, *x.tensors, *x.inputs)]
    return [tensor.where for tensor in tensors if tensor.where]


def test_the_pooling_trap_shows_at_the_border_of_the_first_divergence() -> None:
    x = np.random.default_rng(1).standard_normal((1, 3, 40, 40)).astype(np.float32)
    result = check_parity(toys.torch_model(), toys.paddle_wrong_pool(), x)
    found = result.first_divergence.tensors[0].where
    assert found.size == (20, 20)
    assert found.border.alone
    assert found.border.interior < 1e-15 < found.border.error


@pytest.mark.parametrize("precision", ["float32", "float64", "both"])
def test_failures_alone_are_drawn_and_only_the_first(precision: Any) -> None:
    x = toys.images()
    right = check_parity(toys.torch_model(), toys.paddle_model(), x, precision=precision)
    assert maps(right) == []
    wrong = check_parity(toys.torch_model(), toys.paddle_wrong_pool(), x, precision=precision)
    assert {layer.name for layer in wrong.layers if not layer.state.passes} >= {"block.head", ""}
    assert 0 < len(maps(wrong)) <= MOST_MAPS
    passing = [layer for layer in wrong.layers if layer.state.passes]
    assert maps(dataclasses.replace(wrong, layers=tuple(passing))) == []


def test_own_errors_have_their_maps_before_inherited_ones() -> None:
    x = np.random.default_rng(1).standard_normal((1, 3, 40, 40)).astype(np.float32)
    ours = torch.nn.Sequential(*(torch.nn.AvgPool2d(3, 1, 1) for _ in range(12)))
    theirs = paddle.nn.Sequential(
        *(paddle.nn.AvgPool2D(3, 1, 1, exclusive=place in {2, 5, 9}) for place in range(12))
    )
    result = check_parity(ours, theirs, x)
    assert [layer.name for layer in result.faulty] == ["2", "5", "9"]
    assert len(maps(result)) == MOST_MAPS
    own = {layer.name: layer.own[0].where for layer in result.faulty}
    assert all(where.border.alone and where.border.width == 1 for where in own.values())
    inherited = [layer.name for layer in result.layers for t in layer.tensors if t.where]
    assert inherited == ["2", "3", "4", "5", "6"]


def test_after_the_first_failures_nothing_more_is_drawn() -> None:
    first, right, wrong = FirstMaps(0.1), image(5), image(5) + 1.0
    error = tensor_error(right, wrong)
    assert first.draw(right, right, tensor_error(right, right)) is None
    drawn = [first.draw(right, wrong, error) for _ in range(MOST_MAPS + 3)]
    assert sum(found is not None for found in drawn) == MOST_MAPS
    nothing = np.full(3, np.nan)
    assert FirstMaps(0.1).draw(nothing, nothing, tensor_error(nothing, nothing)) is None
