"""The losses again, in plain numpy and loops: written from the paper's words, not from the nets."""

import math

import numpy as np


def pixel_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the cross-entropy of every pixel, 0 where the label is 255."""
    losses = np.zeros(labels.shape)
    for index in np.ndindex(labels.shape):
        n, row, column = index
        scores = logits[n, :, row, column]
        if labels[index] != 255:
            top = scores.max()
            losses[index] = top + math.log(np.exp(scores - top).sum()) - scores[labels[index]]
    return losses


def ohem(logits: np.ndarray, labels: np.ndarray, threshold: float = 0.7, share: int = 16) -> float:
    """Return the mean over the hard pixels."""
    losses = sorted(pixel_losses(logits, labels).ravel(), reverse=True)
    limit = -math.log(threshold)
    least = min(max(len(losses) // share, 1), len(losses) - 1)
    if losses[least] > limit:
        return float(np.mean([loss for loss in losses if loss > limit]))
    return float(np.mean(losses[: max(least, 1)]))


def laplace(plane: np.ndarray, stride: int) -> np.ndarray:
    """Return eight times a pixel minus its neighbours, 0 outside, not below 0."""
    height, width = plane.shape
    padded = np.zeros((height + 2, width + 2))
    padded[1:-1, 1:-1] = plane
    rows, columns = range(0, height, stride), range(0, width, stride)
    out = np.zeros((len(rows), len(columns)))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            window = padded[row : row + 3, column : column + 3]
            out[i, j] = max(0.0, 9 * window[1, 1] - window.sum())
    return out


def edges(labels: np.ndarray, weights: tuple[float, float, float] = (0.6, 0.3, 0.1)) -> np.ndarray:
    """Return the edge target (N, H, W): found at strides 1, 2, 4, mixed, above a tenth."""
    target = np.zeros(labels.shape)
    for n, plane in enumerate(labels.astype(float)):
        height, width = plane.shape
        found = []
        for stride in (1, 2, 4):
            small = laplace(plane, stride)
            rows = [row * small.shape[0] // height for row in range(height)]
            columns = [column * small.shape[1] // width for column in range(width)]
            found.append(small[np.ix_(rows, columns)] > 0.1)
        mixed = sum(weight * edge for weight, edge in zip(weights, found, strict=True))
        target[n] = mixed > 0.1 + 1e-9
    return target


def resize_axis(values: np.ndarray, size: int) -> np.ndarray:
    """Return a linear resize of the last axis, first and last samples kept in place."""
    old = values.shape[-1]
    out = np.empty((*values.shape[:-1], size))
    for i in range(size):
        place = i * (old - 1) / (size - 1) if size > 1 else 0.0
        low = min(int(place), old - 1)
        high = min(low + 1, old - 1)
        out[..., i] = values[..., low] * (1 - (place - low)) + values[..., high] * (place - low)
    return out


def enlarge(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a bilinear resize, corners aligned."""
    rows = resize_axis(values.swapaxes(-1, -2), size[0]).swapaxes(-1, -2)
    return resize_axis(rows, size[1])


def detail(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return binary cross-entropy and dice loss of a detail map (N, 1, h, w)."""
    target = edges(labels)
    scores = logits[:, 0]
    if scores.shape[-1] != labels.shape[-1]:
        scores = enlarge(scores, labels.shape[1:])
    probabilities = 1 / (1 + np.exp(-scores))
    bce = np.mean(np.logaddexp(0, scores) - target * scores)
    dices = []
    for one, other in zip(probabilities, target, strict=True):
        dices.append(1 - (2 * (one * other).sum() + 1) / (one.sum() + other.sum() + 1))
    return float(bce), float(np.mean(dices))
