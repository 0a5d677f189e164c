"""Bytes of tensors, block by block: the same as in one go, transposed views included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters.bits import BLOCK, TILE_BYTES, blocks, contiguous, equal_bits

SETTINGS = settings(max_examples=60, deadline=None)
TYPES = ("u1", "<f2", "<f4", "<f8", "<c16", "?")
# Around the sizes of tiles and blocks, and nothing at all.
SIZES = st.sampled_from([0, 1, 2, 31, 63, 64, 65, 127, 128, 129, 512, 513])


@st.composite
def views(draw) -> np.ndarray:
    """Return an array of random bits whose axes stand in any order."""
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    shape = (*draw(st.lists(st.integers(1, 3), max_size=2)), draw(SIZES), draw(SIZES))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    bits = random.integers(
        0, 2 if dtype.kind == "b" else 256, np.prod(shape) * dtype.itemsize, "u1"
    )
    array = bits.view(dtype).reshape(shape)
    return array.transpose(draw(st.permutations(range(len(shape)))))


def in_one_go(array: np.ndarray) -> bytes:
    return b"".join(block.tobytes() for block in blocks(array))


@SETTINGS
@given(array=views())
def test_blocks_are_the_bytes_in_c_order(array):
    assert in_one_go(array) == array.tobytes()
    assert all(0 < len(block) <= BLOCK for block in blocks(array))


@SETTINGS
@given(array=views())
def test_contiguous_is_the_same_array(array):
    made = contiguous(array)
    assert made.flags.c_contiguous
    assert (made.shape, made.dtype) == (array.shape, array.dtype)
    assert made.tobytes() == array.tobytes()


@SETTINGS
@given(array=views(), data=st.data())
def test_a_single_bit_makes_the_difference(array, data):
    other = np.array(array, order="C")
    assert equal_bits(array, other)
    assert equal_bits(other, array)
    if other.size:
        flat = other.reshape(-1).view(np.uint8)
        flat[data.draw(st.integers(0, len(flat) - 1))] ^= 1
        assert not equal_bits(array, other)
        assert not equal_bits(other, array)


@pytest.mark.parametrize("shape", [(1,), (BLOCK - 1,), (BLOCK,), (3 * BLOCK + 5,)])
@pytest.mark.parametrize("place", [0, -1])
def test_long_tensors_are_compared_to_their_end(shape, place):
    one = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    two = one.copy()
    assert equal_bits(one, two)
    two[place] ^= 0x80
    assert not equal_bits(one, two)
    assert not equal_bits(one, one[:-1])


def test_a_wide_strip_is_cut_into_blocks():
    array = np.arange(TILE_BYTES * 3 * 1024, dtype=np.int32).reshape(1024, -1).T
    assert in_one_go(array) == array.tobytes()
    assert equal_bits(array, np.ascontiguousarray(array))


def test_bits_and_not_values_are_compared():
    nan, zero = np.array([np.nan]), np.array([0.0])
    assert equal_bits(nan, nan)
    assert not equal_bits(zero, -zero)
    assert equal_bits(np.zeros((2, 3)), np.zeros(6))


def test_a_scalar():
    assert in_one_go(np.float32(1.5).reshape(())) == np.float32(1.5).tobytes()
    assert equal_bits(np.array(3), np.array(3))
