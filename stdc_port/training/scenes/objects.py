"""Things that stand or move in a street, put together from flat parts in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stdc_port.training.scenes.canvas import Camera, Canvas, Colour
from stdc_port.training.scenes.textures import pick_paint

Outline = Sequence[tuple[float, float]]
"""Corners (metres along, metres up) of a flat part."""


@dataclass(frozen=True)
class Spot:
    """A place in a picture in the making: where things are put, and on what.

    Attributes:
        canvas: painted on.
        camera: sees it.
        x: metres to the right, of the thing's middle.
        z: metres ahead, of its nearest face.
    """

    canvas: Canvas
    camera: Camera
    x: float
    z: float

    def facing(self, outline: Outline, colour: Colour | None, label: str | None) -> None:
        """Paint a part that faces the camera."""
        corners = [(self.x + along, up, self.z) for along, up in outline]
        self._paint(corners, colour, label)

    def sideways(
        self, outline: Outline, colour: Colour | None, label: str | None, at: float
    ) -> None:
        """Paint a part that runs away from the camera, `at` metres to the right of the middle."""
        corners = [(self.x + at, up, self.z + along) for along, up in outline]
        self._paint(corners, colour, label)

    def shadow(self, half_width: float, length: float) -> None:
        """Darken the ground beneath."""
        flat = [
            (-half_width, -0.3),
            (half_width, -0.3),
            (half_width, length),
            (-half_width, length),
        ]
        corners = [(self.x + across * 1.1, 0.0, self.z + away) for across, away in flat]
        region = self.canvas.polygon([self.camera.project(corner) for corner in corners])
        self.canvas.shade(region, 0.45)

    def _paint(
        self, corners: list[tuple[float, float, float]], colour: Colour | None, label: str | None
    ) -> None:
        region = self.canvas.polygon([self.camera.project(corner) for corner in corners])
        depth = None if label is None else self.z
        self.canvas.paint(region, colour, label=label, depth=depth)


def box(left: float, bottom: float, right: float, top: float) -> Outline:
    """The outline of an upright rectangle."""
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def disc(along: float, up: float, radius: float, squeeze: float = 1.0) -> Outline:
    """The outline of a disc, narrowed by `squeeze`."""
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    return [
        (along + squeeze * radius * float(np.cos(a)), up + radius * float(np.sin(a)))
        for a in angles
    ]


def dimmed(colour: Colour, factor: float) -> Colour:
    """The same paint in another light."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def paint_pole(spot: Spot, rng: np.random.Generator) -> None:
    """A lamp post, bare or carrying a traffic light or a traffic sign."""
    grey = float(rng.uniform(0.15, 0.6))
    height, half = float(rng.uniform(2.6, 6.5)), float(rng.uniform(0.05, 0.12))
    spot.facing(box(-half, 0, half, height), (grey, grey, grey * 1.03), "pole")
    carried = rng.choice(("nothing", "light", "sign", "sign"))
    if carried == "light":
        _traffic_light(spot, height, rng)
    elif carried == "sign":
        _traffic_sign(spot, min(height, 3.2), rng)


def _traffic_light(spot: Spot, height: float, rng: np.random.Generator) -> None:
    dark = float(rng.uniform(0.03, 0.16))
    spot.facing(box(-0.2, height - 1.1, 0.2, height), (dark, dark, dark), "traffic light")
    lamps = ((0.95, 0.12, 0.08), (0.95, 0.65, 0.1), (0.1, 0.85, 0.4))
    lit = int(rng.integers(3))
    up = height - 0.2 - 0.35 * lit
    spot.facing(disc(0, up, 0.15), lamps[lit], "traffic light")


def _traffic_sign(spot: Spot, height: float, rng: np.random.Generator) -> None:
    size = float(rng.uniform(0.3, 0.5))
    middle = height - size
    rim: Colour = ((0.7, 0.08, 0.08), (0.08, 0.2, 0.6), (0.8, 0.65, 0.05))[int(rng.integers(3))]
    inner: Colour = (0.85, 0.85, 0.85) if rng.random() < 0.7 else rim
    shape = int(rng.integers(3))
    for scale, colour in ((1.0, rim), (0.68, inner)):
        r = size * scale
        outline = (
            disc(0, middle, r),
            box(-r, middle - r, r, middle + r),
            [(-r, middle - r * 0.8), (r, middle - r * 0.8), (0, middle + r)],
        )[shape]
        spot.facing(outline, colour, "traffic sign")


def paint_bin(spot: Spot, rng: np.random.Generator) -> None:
    """A box or a bin: one of the things that Cityscapes does not train."""
    half, height = float(rng.uniform(0.25, 0.6)), float(rng.uniform(0.7, 1.5))
    paint = pick_paint(rng)
    spot.facing(box(-half, 0, half, height), paint, "static")
    spot.facing(box(-half, height * 0.85, half, height), dimmed(paint, 0.6), "static")


def paint_person(spot: Spot, rng: np.random.Generator) -> None:
    """A pedestrian: legs in a stride, a coat, arms and a head."""
    tall = float(rng.uniform(1.5, 1.9))
    coat, trousers = pick_paint(rng), pick_paint(rng)
    stride, hip = float(rng.uniform(0.05, 0.3)), tall * 0.5
    spot.shadow(0.3, 0.5)
    for side in (-1, 1):
        foot = side * stride
        leg = [
            (foot - 0.09, 0),
            (foot + 0.09, 0),
            (side * 0.09 + 0.1, hip),
            (side * 0.09 - 0.1, hip),
        ]
        spot.facing(leg, dimmed(trousers, 0.8 + 0.1 * side), "person")
    _upper_body(spot, rng, coat=coat, base=hip, tall=tall, lean=0.0, label="person")


def _upper_body(
    spot: Spot,
    rng: np.random.Generator,
    *,
    coat: Colour,
    base: float,
    tall: float,
    lean: float,
    label: str,
) -> None:
    shoulder, half = tall * 0.84, 0.22
    torso = [
        (-0.2, base - 0.12),
        (0.2, base - 0.12),
        (half + lean, shoulder),
        (-half + lean, shoulder),
    ]
    spot.facing(torso, coat, label)
    for side in (-1, 1):
        hand = side * float(rng.uniform(0.25, 0.42)) + lean
        arm = [(side * half + lean, shoulder), (hand, base), (hand - side * 0.1, base)]
        spot.facing(arm, dimmed(coat, 0.85), label)
    skin = float(rng.uniform(0.25, 0.8))
    spot.facing(disc(lean * 1.3, tall - 0.12, 0.125), (skin, skin * 0.75, skin * 0.6), label)
    hair = float(rng.uniform(0.03, 0.5))
    spot.facing(
        box(lean * 1.3 - 0.11, tall - 0.1, lean * 1.3 + 0.11, tall), (hair, hair, hair), label
    )


def paint_bicycle(spot: Spot, rng: np.random.Generator, *, ridden: bool) -> None:
    """A bicycle seen from the side or from behind, parked or with its rider."""
    squeeze = float(rng.uniform(0.2, 1.0))
    paint = pick_paint(rng)
    reach = 0.55 * squeeze
    hull = [
        (-reach - 0.33 * squeeze, 0.0),
        (reach + 0.33 * squeeze, 0.0),
        (reach + 0.33 * squeeze, 0.6),
        (reach, 1.0),
        (-reach, 0.95),
        (-reach - 0.33 * squeeze, 0.6),
    ]
    spot.shadow(reach + 0.2, 0.4)
    spot.facing(hull, None, "bicycle")
    for along in (-reach, reach):
        spot.facing(disc(along, 0.34, 0.34, squeeze), (0.06, 0.06, 0.06), None)
        spot.facing(disc(along, 0.34, 0.27, squeeze), (0.4, 0.4, 0.4), None)
    for (a, b), (c, d) in (
        ((-reach, 0.34), (0.0, 0.8)),
        ((0.0, 0.8), (reach, 0.34)),
        ((-reach, 0.95), (reach * 0.9, 0.8)),
        ((-reach, 0.34), (reach, 0.4)),
    ):
        spot.facing([(a - 0.04, b), (a + 0.04, b), (c + 0.04, d), (c - 0.04, d)], paint, None)
    if ridden:
        tall = float(rng.uniform(1.6, 1.9))
        trousers = pick_paint(rng)
        for side in (-1, 1):
            leg = [(side * 0.1 - 0.09, 0.3), (side * 0.1 + 0.09, 0.3), (0.13, 0.95), (-0.13, 0.95)]
            spot.facing(leg, trousers, "rider")
        lean = squeeze * float(rng.choice((-0.25, 0.25)))
        _upper_body(spot, rng, coat=pick_paint(rng), base=0.95, tall=tall, lean=lean, label="rider")
