"""What lines a street: houses, hedges and trees, walls, fences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stdc_port.training.scenes.canvas import Camera, Canvas, Floats, Region
from stdc_port.training.scenes.ground import Street
from stdc_port.training.scenes.textures import (
    Noise,
    brickwork,
    foliage,
    grained,
    house_front,
    pick_masonry,
    pick_paint,
    stripes,
)

Surface = Callable[[np.random.Generator, Noise, Floats, Floats], Floats]
End = tuple[float, float]

_KINDS = ("house", "hedge", "wall", "fence", "open")
_SHARES = (0.5, 0.18, 0.1, 0.12, 0.1)
_NEAREST, _FURTHEST = 1.2, 110.0


def paint_frontage(
    canvas: Canvas, camera: Camera, street: Street, rng: np.random.Generator
) -> None:
    """Line both sides of the street, from far to near, and close its end."""
    _paint_end(canvas, camera, street, rng)
    for side in (-1, 1):
        z = _FURTHEST
        while z > _NEAREST:
            near = max(z - rng.uniform(7, 22), _NEAREST)
            kind = rng.choice(_KINDS, p=_SHARES)
            _PAINTERS[kind](canvas, camera, _ends(street, side, near, z), side, rng)
            z = near


def upright(
    canvas: Canvas, camera: Camera, ends: tuple[End, End], height: float, foot: float = 0.0
) -> tuple[Region | None, Floats, Floats, Floats]:
    """The pixels of an upright rectangle between two points of the ground.

    Returns:
        The region (None out of sight), and for its pixels the metres along the rectangle (1, w),
        the metres above the ground (h, w) and the distance (1, w).
    """
    (x1, z1), (x2, z2) = ends
    corners = [(x1, foot, z1), (x2, foot, z2), (x2, height, z2), (x1, height, z1)]
    region = canvas.polygon([camera.project(corner) for corner in corners])
    if region is None:
        empty = np.zeros((1, 1), np.float32)
        return None, empty, empty, empty
    columns, rows = region.coordinates()
    slope = (columns - camera.centre) / camera.focal
    divisor = slope * (z2 - z1) - (x2 - x1)
    share = (x1 - slope * z1) / np.where(np.abs(divisor) < 1e-6, 1e-6, divisor)
    share = np.clip(share, 0, 1)
    distance = np.asarray(z1 + share * (z2 - z1), np.float32)
    along = np.asarray(share * np.hypot(x2 - x1, z2 - z1), np.float32)
    up = camera.height - (rows - camera.horizon) * distance / camera.focal
    return region, along, np.asarray(up, np.float32), distance


def _ends(street: Street, side: int, near: float, far: float) -> tuple[End, End]:
    x = street.frontage(side)
    return (x + street.shift(near), near), (x + street.shift(far), far)


def _paint_end(canvas: Canvas, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    """Close the far end: trees or houses below the sky, of uneven height."""
    centre = street.shift(_FURTHEST)
    for x in np.arange(-130, 130, 13):
        ends = ((centre + float(x), _FURTHEST), (centre + float(x) + 13, _FURTHEST))
        kind = "hedge" if rng.random() < 0.5 else "house"
        _PAINTERS[kind](canvas, camera, ends, 0, rng)


def _paint_face(
    canvas: Canvas,
    camera: Camera,
    ends: tuple[End, End],
    height: float,
    surface: Surface,
    label: str,
    rng: np.random.Generator,
) -> None:
    region, along, up, distance = upright(canvas, camera, ends, height)
    if region is not None:
        colours = surface(rng, Noise(rng), along, up)
        canvas.paint(region, colours, label=label, depth=distance)


def _house(
    canvas: Canvas, camera: Camera, ends: tuple[End, End], side: int, rng: np.random.Generator
) -> None:
    height = float(rng.uniform(5, 19))
    (x, z), _ = ends
    if side:
        gable = ((x, z), (x + side * 12.0, z))
        _paint_face(canvas, camera, gable, height, brickwork, "building", rng)
    _paint_face(canvas, camera, ends, height, house_front, "building", rng)


def _wall(
    canvas: Canvas, camera: Camera, ends: tuple[End, End], side: int, rng: np.random.Generator
) -> None:
    if rng.random() < 0.6:
        _crowns(canvas, camera, ends, side, rng)
    _paint_face(canvas, camera, ends, float(rng.uniform(1.4, 3.2)), brickwork, "wall", rng)


def _hedge(
    canvas: Canvas, camera: Camera, ends: tuple[End, End], side: int, rng: np.random.Generator
) -> None:
    _crowns(canvas, camera, ends, side, rng)
    _paint_face(canvas, camera, ends, float(rng.uniform(0.8, 3.5)), foliage, "vegetation", rng)


def _fence(
    canvas: Canvas, camera: Camera, ends: tuple[End, End], side: int, rng: np.random.Generator
) -> None:
    """A see-through fence: bars over whatever stands behind, labelled as one surface."""
    if rng.random() < 0.6:
        _hedge(canvas, camera, ends, side, rng)
    height = float(rng.uniform(1.1, 2.2))
    region, along, up, distance = upright(canvas, camera, ends, height)
    if region is None:
        return
    canvas.paint(region, None, label="fence", depth=distance)
    period = float(rng.uniform(0.18, 0.5))
    bars = np.maximum(stripes(along, period, 0.35), stripes(up, height * 0.45, 0.14))
    solid = Region(region.rows, region.columns, region.mask & (bars > 0))
    canvas.paint(solid, pick_paint(rng), label=None)


def _open(
    canvas: Canvas, camera: Camera, ends: tuple[End, End], side: int, rng: np.random.Generator
) -> None:
    """A gap: open ground with a few trees."""
    if rng.random() < 0.7:
        _crowns(canvas, camera, ends, side, rng)


def _crowns(
    canvas: Canvas, camera: Camera, ends: tuple[End, End], side: int, rng: np.random.Generator
) -> None:
    """Trees behind the line between two points."""
    (x1, z1), (x2, z2) = ends
    for share in sorted(rng.random(int(rng.integers(1, 4))), reverse=True):
        x = x1 + share * (x2 - x1) + side * rng.uniform(1, 4)
        z = max(z1 + share * (z2 - z1), 5.0)
        paint_tree(canvas, camera, float(x), float(z), rng)


def paint_tree(
    canvas: Canvas, camera: Camera, x: float, z: float, rng: np.random.Generator
) -> None:
    """One tree: a trunk, labelled vegetation as Cityscapes does, and a ragged crown."""
    height, radius = float(rng.uniform(4, 11)), float(rng.uniform(1.3, 3.2))
    trunk = 0.1 + radius * 0.06
    region, along, up, _ = upright(canvas, camera, ((x - trunk, z), (x + trunk, z)), height * 0.6)
    if region is not None:
        bark = grained(pick_masonry(rng), Noise(rng)(along * 9, up * 2, 3), 0.8) * 0.45
        canvas.paint(region, bark, label="vegetation", depth=z)
    box = ((x - radius, z), (x + radius, z))
    region, along, up, _ = upright(canvas, camera, box, height, height - 2 * radius)
    if region is None:
        return
    ragged = 0.35 * Noise(rng)(along * 1.6, up * 1.6, 3)
    away = np.hypot((along - radius) / radius, (up - height + radius) / radius) + ragged
    crown = Region(region.rows, region.columns, region.mask & (away < 0.92))
    colours = foliage(rng, Noise(rng), along, up)
    lit = 1.15 - 0.5 * np.clip((height - up) / (2 * radius), 0, 1)
    canvas.paint(crown, np.asarray(colours * lit[..., None]), label="vegetation", depth=z)


_PAINTERS: dict[
    str, Callable[[Canvas, Camera, tuple[End, End], int, np.random.Generator], None]
] = {"house": _house, "hedge": _hedge, "wall": _wall, "fence": _fence, "open": _open}
