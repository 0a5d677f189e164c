"""One scene: the street, what lines it, who is in it, and the light over all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stdc_port.training.labels import ID_OF_NAME
from stdc_port.training.scenes.canvas import Camera, Canvas, Floats
from stdc_port.training.scenes.frontage import paint_frontage, paint_tree
from stdc_port.training.scenes.ground import Street, paint_ground, paint_sky, pick_street
from stdc_port.training.scenes.objects import (
    Spot,
    paint_bicycle,
    paint_bin,
    paint_person,
    paint_pole,
)
from stdc_port.training.scenes.textures import Noise, grained, pick_paint
from stdc_port.training.scenes.vehicles import paint_bus, paint_car, paint_truck

_SUPERSAMPLING = 2

Painter = Callable[[Spot, np.random.Generator], None]


@dataclass(frozen=True)
class Scene:
    """A picture and its labels.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        label_ids: (H, W) uint8, ids of the Cityscapes table (not train ids).
    """

    image: NDArray[np.uint8]
    label_ids: NDArray[np.uint8]


def draw_scene(width: int, height: int, *, seed: int, index: int) -> Scene:
    """Draw one scene; the same arguments give the same pixels.

    Args:
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        seed: of the set.
        index: of the scene in the set.

    Raises:
        ValueError: when a side is below 32 pixels.
    """
    if min(width, height) < 32:
        raise ValueError(f"a scene needs at least 32×32 pixels, asked for {width}×{height}")
    rng = np.random.default_rng([seed, index])
    canvas = Canvas(width * _SUPERSAMPLING, height * _SUPERSAMPLING)
    camera = _pick_camera(width * _SUPERSAMPLING, height * _SUPERSAMPLING, rng)
    street = pick_street(rng)
    paint_sky(canvas, camera, rng)
    paint_ground(canvas, camera, street, rng)
    paint_frontage(canvas, camera, street, rng)
    _populate(canvas, camera, street, rng)
    _paint_own_car(canvas, rng)
    image = _expose(canvas, rng)
    return Scene(image, canvas.labels[::_SUPERSAMPLING, ::_SUPERSAMPLING].copy())


def _pick_camera(width: int, height: int, rng: np.random.Generator) -> Camera:
    return Camera(
        focal=width * float(rng.uniform(0.8, 1.1)),
        centre=width * float(rng.uniform(0.38, 0.62)),
        horizon=height * float(rng.uniform(0.38, 0.52)),
        height=float(rng.uniform(1.3, 1.9)),
    )


def _populate(canvas: Canvas, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    """Choose who and what is in the street, and paint it from far to near."""
    things = [
        (z, x, painter)
        for painter, most, nearest, places in _cast(street)
        for _ in range(int(rng.integers(most + 1)))
        for z in [float(nearest + 45 * rng.random() ** 1.7)]
        for x in [_choose_x(places, rng)]
    ]
    for z, x, painter in sorted(things, key=lambda thing: -thing[0]):
        painter(Spot(canvas, camera, x + street.shift(z), z), rng)


def _cast(street: Street) -> list[tuple[Painter, int, float, list[tuple[float, float]]]]:
    """Painter, largest number, least distance and the bands of x where it may be."""
    left, right, walk = street.left, street.right, street.pavement
    lanes = [(left + 1.2, left + 2.2), (right - 2.2, right - 1.0), (left + 2, right - 2)]
    pavements = [(left - walk, left - 0.3), (right + 0.3, right + walk)]
    kerbs = [(left - 0.8, left - 0.3), (right + 0.3, right + 0.8)]
    verges = [(left - walk - 2, left - walk), (right + walk, right + walk + 2)]
    return [
        (paint_car, 8, 6.0, lanes),
        (paint_truck, 1, 9.0, lanes[:2]),
        (paint_bus, 1, 9.0, lanes[:2]),
        (paint_person, 7, 4.5, [*pavements, pavements[1], (left, right)]),
        (_ridden, 3, 5.0, lanes),
        (_parked, 3, 4.5, kerbs),
        (paint_pole, 6, 5.0, kerbs),
        (paint_bin, 2, 5.0, pavements),
        (_tree, 3, 6.0, verges),
    ]


def _choose_x(places: list[tuple[float, float]], rng: np.random.Generator) -> float:
    low, high = places[int(rng.integers(len(places)))]
    return float(rng.uniform(min(low, high), max(low, high)))


def _ridden(spot: Spot, rng: np.random.Generator) -> None:
    paint_bicycle(spot, rng, ridden=True)


def _parked(spot: Spot, rng: np.random.Generator) -> None:
    paint_bicycle(spot, rng, ridden=False)


def _tree(spot: Spot, rng: np.random.Generator) -> None:
    paint_tree(spot.canvas, spot.camera, spot.x, spot.z, rng)


def _paint_own_car(canvas: Canvas, rng: np.random.Generator) -> None:
    """The bonnet of the car that carries the camera, at times: labelled, never trained."""
    if rng.random() < 0.4:
        return
    height, width = canvas.labels.shape
    top = height * float(rng.uniform(0.9, 0.96))
    outline = [
        (0, height),
        (0, top + height * 0.03),
        (width * 0.25, top),
        (width * 0.75, top),
        (width, top + height * 0.03),
        (width, height),
    ]
    region = canvas.polygon(outline)
    if region is None:
        return
    columns, rows = region.coordinates()
    gloss = Noise(rng)(columns * 5 / width, rows * 12 / height, 2)
    canvas.paint(region, grained(pick_paint(rng), gloss, 0.8), label="ego vehicle", depth=1.0)


def _expose(canvas: Canvas, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Haze, light, lens and sensor: from painted colours to the 8-bit picture."""
    haze = np.asarray(rng.uniform(0.55, 0.9) * (1 + rng.uniform(-0.06, 0.06, 3)), np.float32)
    thickness = float(rng.choice((0.001, 0.004, 0.012)))
    veil = 1 - np.exp(-canvas.depth * thickness)[..., None]
    veil = np.where(canvas.labels[..., None] == ID_OF_NAME["sky"], np.minimum(veil, 0.5), veil)
    rgb: Floats = canvas.rgb * (1 - veil) + haze * veil
    height, width = canvas.labels.shape
    rgb = rgb.reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))
    cast = 1 + rng.uniform(-0.12, 0.12, 3)
    rgb = rgb * (float(rng.uniform(0.55, 1.35)) * cast.astype(np.float32))
    rgb = np.clip(rgb, 0, None) ** float(rng.uniform(0.8, 1.2))
    rgb = rgb + rng.normal(0, float(rng.uniform(0.01, 0.045)), rgb.shape).astype(np.float32)
    return np.asarray(np.clip(rgb * 255 + 0.5, 0, 255), np.uint8)
