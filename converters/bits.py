"""Tensors as bytes: moved and compared block by block, each small enough for the processor's cache.

Compared bit for bit, so that NaN equals NaN and −0 differs from 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Bytes that are written or compared at a time.
BLOCK = 1 << 18
# A transposed matrix is gone through in tiles: so many bytes of so many rows that lie in memory.
TILE_BYTES, TILE_ROWS = 512, 64


def raw(array: np.ndarray) -> memoryview:
    """Return the bytes of an array in C order; no copy if they lie so."""
    return _flat(array).data


def _flat(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the bytes of an array in C order, at most :data:`BLOCK` at a time.

    Of a transposed view no whole copy is made. A block may be overwritten by the next one.
    """
    if array.flags.c_contiguous or array.ndim < 2:
        whole = _flat(array)
        for start in range(0, len(whole), BLOCK):
            yield whole[start : start + BLOCK]
    else:
        for strip in strips(array) if array.ndim == 2 else array:
            yield from blocks(strip)


def strips(matrix: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows of a transposed matrix, some at a time, as contiguous copies.

    Read along the rows of the matrix in memory, a tile at a time: element by element along the
    transposed rows takes up to ten times as long, since rows of 2ⁿ bytes share few cache lines.
    """
    height, width = matrix.shape
    rows = TILE_BYTES // matrix.itemsize
    buffer = np.empty((min(rows, height), width), matrix.dtype)
    for top in range(0, height, rows):
        strip = buffer[: height - top]
        for left in range(0, width, TILE_ROWS):
            tile = matrix[top : top + rows, left : left + TILE_ROWS]
            strip[:, left : left + TILE_ROWS] = np.ascontiguousarray(tile.T).T
        yield strip


def contiguous(array: np.ndarray) -> np.ndarray:
    """Return an array in C order; itself if it lies so."""
    if array.flags.c_contiguous:
        return array
    made = np.empty(array.shape, array.dtype)
    to, start = _flat(made), 0
    for block in blocks(array):
        to[start : start + len(block)] = block
        start += len(block)
    return made


def equal_bits(one: np.ndarray, two: np.ndarray) -> bool:
    """Return whether two arrays have the same bytes in C order, in whatever shape.

    One of them may be a transposed view; no copy is made of it.
    """
    if one.nbytes != two.nbytes:
        return False
    if two.flags.c_contiguous:
        one, two = two, one
    other, start, differs = _flat(one), 0, np.empty(BLOCK, np.bool_)
    for block in blocks(two):
        end = start + len(block)
        if np.not_equal(block, other[start:end], out=differs[: len(block)]).any():
            return False
        start = end
    return True
