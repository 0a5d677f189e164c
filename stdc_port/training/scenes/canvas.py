"""A picture, its label map and its distances, painted part by part from far to near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from stdc_port.training.labels import ID_OF_NAME

Floats = NDArray[np.float32]
Colour = tuple[float, float, float]
Point3 = tuple[float, float, float]

FAR = 300.0
"""Distance of the sky in metres, as far as haze goes."""


@dataclass(frozen=True)
class Camera:
    """A pinhole above a flat ground; x to the right, y up from the ground, z ahead, in metres.

    Attributes:
        focal: focal length in pixels.
        centre: column of the vanishing point.
        horizon: row of the horizon.
        height: of the camera above the ground.
    """

    focal: float
    centre: float
    horizon: float
    height: float

    def project(self, point: Point3) -> tuple[float, float]:
        """Column and row of a point in space (z is held above a decimetre)."""
        x, y, z = point
        z = max(z, 0.1)
        return (
            self.centre + self.focal * x / z,
            self.horizon + self.focal * (self.height - y) / z,
        )


@dataclass(frozen=True)
class Region:
    """Pixels of the canvas: a window and the mask in it."""

    rows: slice
    columns: slice
    mask: NDArray[np.bool_]

    def coordinates(self) -> tuple[Floats, Floats]:
        """Columns (1, w) and rows (h, 1) of the window's pixel centres."""
        columns = np.arange(self.columns.start, self.columns.stop, dtype=np.float32)[None] + 0.5
        rows = np.arange(self.rows.start, self.rows.stop, dtype=np.float32)[:, None] + 0.5
        return columns, rows


class Canvas:
    """What has been painted so far.

    Attributes:
        rgb: (H, W, 3) linear colours, 0 to 1 before the light is applied.
        labels: (H, W) label ids.
        depth: (H, W) metres.
    """

    def __init__(self, width: int, height: int) -> None:
        """Start with an empty, unlabelled canvas of `width` × `height` pixels."""
        self.rgb: Floats = np.zeros((height, width, 3), np.float32)
        self.labels: NDArray[np.uint8] = np.zeros((height, width), np.uint8)
        self.depth: Floats = np.full((height, width), FAR, np.float32)

    def polygon(self, points: Sequence[tuple[float, float]]) -> Region | None:
        """The pixels inside a polygon of (column, row) corners; None when it is out of sight."""
        height, width = self.labels.shape
        xs, ys = [x for x, _ in points], [y for _, y in points]
        left, right = max(int(min(xs)), 0), min(int(max(xs)) + 2, width)
        top, bottom = max(int(min(ys)), 0), min(int(max(ys)) + 2, height)
        if left >= right or top >= bottom:
            return None
        stencil = Image.new("1", (right - left, bottom - top))
        ImageDraw.Draw(stencil).polygon([(x - left, y - top) for x, y in points], fill=1)
        return Region(slice(top, bottom), slice(left, right), np.asarray(stencil, np.bool_))

    def paint(
        self,
        region: Region | None,
        colour: Floats | Colour | None,
        *,
        label: str | None,
        depth: Floats | float | None = None,
    ) -> None:
        """Lay a colour, a label and a distance over a region; None keeps what is there."""
        if region is None:
            return
        window = (region.rows, region.columns)
        shape = region.mask.shape
        if colour is not None:
            value = np.broadcast_to(np.asarray(colour, np.float32), (*shape, 3))
            self.rgb[window][region.mask] = value[region.mask]
        if label is not None:
            self.labels[window][region.mask] = ID_OF_NAME[label]
        if depth is not None:
            distance = np.broadcast_to(np.asarray(depth, np.float32), shape)
            self.depth[window][region.mask] = distance[region.mask]

    def shade(self, region: Region | None, factor: float) -> None:
        """Darken a region, as a shadow does, and leave its labels."""
        if region is not None:
            self.rgb[region.rows, region.columns][region.mask] *= factor
