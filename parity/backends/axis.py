"""Resizing and average pooling as one matrix an axis, in numpy's double precision.

Both are separable: whatever number of axes there is, each one is multiplied by its own matrix.
"""

from __future__ import annotations

import numpy as np


def resize_weights(
    size: int, out: int, *, scale: float, align_corners: bool, half_pixel: bool, cubic: bool
) -> np.ndarray:
    """Give the (out, size) matrix that resizes one axis.

    Args:
        size: Length before.
        out: Length after.
        scale: The factor that was asked for; 0 if a size was.
        align_corners: First and last samples stay in place.
        half_pixel: Without `align_corners`: samples sit in the middle of their cells.
        cubic: Four taps of the cubic kernel with a = -0.75 instead of two linear ones.
    """
    if align_corners:
        position = np.arange(out) * ((size - 1) / max(out - 1, 1))
    else:
        shift = 0.5 if half_pixel or cubic else 0.0
        position = (np.arange(out) + shift) * (1 / scale if scale > 0 else size / out) - shift
    position = position if cubic else np.maximum(position, 0.0)
    start = np.floor(position).astype(int)
    part = position - start
    weights = np.zeros((out, size))
    taps = _cubic_taps(part) if cubic else ((0, 1 - part), (1, part))
    for offset, weight in taps:
        np.add.at(weights, (np.arange(out), np.clip(start + offset, 0, size - 1)), weight)
    return weights


def _cubic_taps(part: np.ndarray) -> tuple[tuple[int, np.ndarray], ...]:
    a = -0.75
    near = [((a + 2) * t - (a + 3)) * t * t + 1 for t in (part, 1 - part)]
    far = [((a * t - 5 * a) * t + 8 * a) * t - 4 * a for t in (part + 1, 2 - part)]
    return (-1, far[0]), (0, near[0]), (1, near[1]), (2, far[1])


def pool_weights(
    size: int, out: int, *, kernel: int, stride: int, padding: int, exclusive: bool
) -> np.ndarray:
    """Give the (out, size) matrix that averages windows along one axis.

    Args:
        size: Length before.
        out: Number of windows.
        kernel: Length of a window.
        stride: From one window's start to the next one's.
        padding: Zeros in front.
        exclusive: Leave the padding out of the mean.
    """
    starts = np.arange(out) * stride - padding
    ends = np.minimum(starts + kernel, size + padding)
    return _means(starts, ends, size, exclusive=exclusive)


def adaptive_weights(size: int, out: int) -> np.ndarray:
    """Give the (out, size) matrix of an adaptive average pooling along one axis."""
    starts = np.arange(out) * size // out
    ends = -(-(np.arange(out) + 1) * size // out)
    return _means(starts, ends, size, exclusive=True)


def _means(starts: np.ndarray, ends: np.ndarray, size: int, *, exclusive: bool) -> np.ndarray:
    places = np.arange(size)
    inside = (places >= starts[:, None]) & (places < ends[:, None])
    counts = inside.sum(1) if exclusive else ends - starts
    return inside / np.maximum(counts, 1)[:, None]
