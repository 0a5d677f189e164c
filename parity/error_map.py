"""Where in a tensor a difference lies: a small picture of it, for the first failing outputs.

A convolution or pooling that treats its padding otherwise is wrong along the border and right
everywhere else; a wrong weight is wrong everywhere. A single figure cannot tell the two apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from parity.compare import ZERO_SCALE
from parity.precision import within

if TYPE_CHECKING:
    from parity.compare import TensorError

#: Longest side of a map, in cells.
LARGEST_SIDE = 128
#: Maps that a run keeps: what comes after its first failures mostly inherits them.
MOST_MAPS = 8
#: What is called a border is at most this share of the image's shorter side wide.
BORDER_SHARE = 1 / 8


@dataclass(frozen=True)
class Border:
    """An image's border against the rest of it.

    Attributes:
        width: How many rows and columns from each edge count as border.
        error: The largest error there.
        interior: The largest error elsewhere.
        alone: Everything beyond the tolerance lies in the border.
    """

    width: int
    error: float
    interior: float
    alone: bool

    def __str__(self) -> str:
        """Say it with the figures."""
        figures = f"border {_figure(self.error)}, interior {_figure(self.interior)}"
        edge = "row and column" if self.width == 1 else f"{self.width} rows and columns"
        return f"only at the border, the outermost {edge} ({figures})" if self.alone else figures


def _figure(error: float) -> str:
    if not math.isfinite(error):
        return "not finite alike"
    return f"{error:.1e}" if error else "0"


@dataclass(frozen=True)
class ErrorMap:
    """The largest error at each place of an image, or along a vector.

    Attributes:
        cells: Rows of |a − b| / max|a|, the largest over batch, channels and the cell's places;
            infinite where one side alone is not finite; of integers 1 where any differs.
        size: Height and width in places; a vector has height 1.
        cell: How many places a cell spans each way.
        share: Share of the places beyond the tolerance.
        border: The border against the interior; None for a vector or too small an image.
    """

    cells: tuple[tuple[float, ...], ...]
    size: tuple[int, int]
    cell: int
    share: float
    border: Border | None = None

    def __str__(self) -> str:
        """Say in words where the error lies."""
        places = f"beyond the tolerance in {100 * self.share:.3g} % of the places"
        if self.border is None:
            return places
        return str(self.border) if self.border.alone else f"{places} ({self.border})"


def error_map(reference: np.ndarray, other: np.ndarray, bound: float) -> ErrorMap | None:
    """Draw where two tensors differ; None for scalars, empty tensors and unequal shapes.

    Args:
        reference: Torch's values, (..., height, width) for an image, (N, L) or (L) for a vector.
        other: Paddle's values.
        bound: The tolerance that a place is held against.
    """
    if reference.shape != other.shape or not reference.size or not reference.ndim:
        return None
    image = _image(_relative(reference, other))
    height, width = image.shape
    cell = math.ceil(max(height, width) / LARGEST_SIDE)
    return ErrorMap(
        cells=tuple(tuple(row) for row in _shrunk(image, cell).tolist()),
        size=(height, width),
        cell=cell,
        share=float(np.mean(image > bound)),
        border=_border(image, bound),
    )


def _relative(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    if reference.dtype.kind in "iub":
        return (reference != other).astype(np.float64)
    finite = np.isfinite(reference) & np.isfinite(other)
    scale = float(np.max(np.abs(reference), where=finite, initial=0.0)) or ZERO_SCALE
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(np.subtract(reference, other)).astype(np.float64) / scale
    same = (reference == other) | (np.isnan(reference) & np.isnan(other))
    return np.where(same, 0.0, np.where(finite, error, np.inf))


def _image(error: np.ndarray) -> np.ndarray:
    # What a global pooling leaves of an image is a vector.
    if error.ndim > 2 and error.shape[-2:] == (1, 1):
        error = error[..., 0, 0]
    if error.ndim <= 2:
        return error.reshape(-1, error.shape[-1]).max(axis=0)[None]
    return error.reshape(-1, *error.shape[-2:]).max(axis=0)


def _shrunk(image: np.ndarray, cell: int) -> np.ndarray:
    padded = np.pad(image, [(0, -side % cell) for side in image.shape])
    height, width = (side // cell for side in padded.shape)
    return padded.reshape(height, cell, width, cell).max(axis=(1, 3))


def _border(image: np.ndarray, bound: float) -> Border | None:
    height, width = image.shape
    if height == 1:
        return None
    rows, columns = np.ogrid[:height, :width]
    # How many rows or columns each place is away from the nearest edge.
    depth = np.minimum(
        np.minimum(rows, height - 1 - rows), np.minimum(columns, width - 1 - columns)
    )
    if not depth.any():
        return None
    wrong = image > bound
    reach = int(depth.max(where=wrong, initial=-1)) + 1
    alone = 0 < reach <= max(1, int(min(height, width) * BORDER_SHARE))
    edge = depth < (reach if alone else 1)
    return Border(
        width=reach if alone else 1,
        error=float(image[edge].max()),
        interior=float(image[~edge].max()),
        alone=alone,
    )


@dataclass
class FirstMaps:
    """Draws a run's first failures and leaves everything else alone.

    Attributes:
        bound: The tolerance that an error must exceed.
        left: How many more to draw.
    """

    bound: float
    left: int = MOST_MAPS

    def draw(self, reference: np.ndarray, other: np.ndarray, error: TensorError) -> ErrorMap | None:
        """Draw two tensors if they fail and a map is left."""
        if not self.left or within(error, self.bound) or _nothing_known(error):
            return None
        found = error_map(reference, other, self.bound)
        self.left -= found is not None
        return found


def _nothing_known(error: TensorError) -> bool:
    return error.error is None and not error.fault
