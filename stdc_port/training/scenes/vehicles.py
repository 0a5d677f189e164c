"""Cars, trucks, buses and motorcycles: a face towards the camera and the visible side."""

from __future__ import annotations

import numpy as np

from stdc_port.training.scenes.canvas import Colour
from stdc_port.training.scenes.objects import Outline, Spot, box, dimmed, disc
from stdc_port.training.scenes.textures import pick_paint

_TYRE: Colour = (0.05, 0.05, 0.05)


def _glass(rng: np.random.Generator) -> Colour:
    grey = float(rng.uniform(0.06, 0.4))
    return (grey * 0.9, grey, grey * 1.1)


def _visible_side(spot: Spot, half: float) -> float:
    """Offset of the side that the camera sees: the one nearer to its own column."""
    return half if spot.x < 0 else -half


def _lamps(spot: Spot, half: float, up: float, rng: np.random.Generator, label: str) -> None:
    front = rng.random() < 0.4
    colour: Colour = (0.95, 0.93, 0.8) if front else (0.65, 0.05, 0.05)
    for side in (-1, 1):
        spot.facing(
            box(side * half * 0.82 - 0.12, up, side * half * 0.82 + 0.12, up + 0.15), colour, label
        )


def _wheels_facing(spot: Spot, half: float, label: str) -> None:
    for side in (-1, 1):
        spot.facing(box(side * half * 0.85 - 0.1, 0, side * half * 0.85 + 0.1, 0.4), _TYRE, label)


def paint_car(spot: Spot, rng: np.random.Generator) -> None:
    """A car along the street, or one that crosses it."""
    paint, glass = pick_paint(rng), _glass(rng)
    roof = float(rng.uniform(1.35, 1.8))
    length, half = float(rng.uniform(3.8, 4.8)), float(rng.uniform(0.82, 0.95))
    body, cabin, panes = _car_side(length, roof)
    if rng.random() < 0.18:
        _crossing_car(spot, body, cabin, panes, paint, glass, length)
        return
    spot.shadow(half, length)
    at = _visible_side(spot, half)
    for outline, colour in ((body, dimmed(paint, 0.8)), (cabin, dimmed(paint, 0.8))):
        spot.sideways(outline, colour, "car", at)
    for pane in panes:
        spot.sideways(pane, glass, "car", at)
    for along in (0.8, length - 0.85):
        spot.sideways(disc(along, 0.33, 0.33), _TYRE, "car", at)
    _wheels_facing(spot, half, "car")
    face = [
        (-half, 0.28),
        (half, 0.28),
        (half, 0.9),
        (half * 0.78, roof),
        (-half * 0.78, roof),
        (-half, 0.9),
    ]
    spot.facing(face, paint, "car")
    pane = [
        (-half * 0.82, 0.95),
        (half * 0.82, 0.95),
        (half * 0.68, roof - 0.1),
        (-half * 0.68, roof - 0.1),
    ]
    spot.facing(pane, glass, "car")
    spot.facing(box(-0.26, 0.5, 0.26, 0.62), (0.85, 0.85, 0.8), "car")
    _lamps(spot, half, 0.68, rng, "car")


def _car_side(length: float, roof: float) -> tuple[Outline, Outline, tuple[Outline, Outline]]:
    body = [(0, 0.28), (length, 0.28), (length, 0.75), (length - 0.2, 0.92), (0, 0.95)]
    start, stop = length * 0.05, length * 0.72
    cabin = [(start, 0.9), (stop, 0.9), (stop - 0.7, roof), (start + 0.45, roof)]
    middle = (start + stop) / 2
    rear = [
        (start + 0.3, 0.97),
        (middle - 0.05, 0.97),
        (middle - 0.05, roof - 0.1),
        (start + 0.6, roof - 0.1),
    ]
    front = [
        (middle + 0.05, 0.97),
        (stop - 0.2, 0.97),
        (stop - 0.75, roof - 0.1),
        (middle + 0.05, roof - 0.1),
    ]
    return body, cabin, (rear, front)


def _crossing_car(
    spot: Spot,
    body: Outline,
    cabin: Outline,
    panes: tuple[Outline, Outline],
    paint: Colour,
    glass: Colour,
    length: float,
) -> None:
    def centred(outline: Outline) -> Outline:
        return [(along - length / 2, up) for along, up in outline]

    spot.shadow(length / 2, 1.7)
    spot.facing(centred(body), paint, "car")
    spot.facing(centred(cabin), dimmed(paint, 0.9), "car")
    for pane in panes:
        spot.facing(centred(pane), glass, "car")
    for along in (0.8, length - 0.85):
        spot.facing(centred(disc(along, 0.33, 0.33)), _TYRE, "car")
        spot.facing(centred(disc(along, 0.33, 0.18)), (0.5, 0.5, 0.5), "car")


def paint_truck(spot: Spot, rng: np.random.Generator) -> None:
    """A lorry: a plain box on wheels, its doors or its cab towards the camera."""
    paint = pick_paint(rng)
    half, top, length = 1.2, float(rng.uniform(2.6, 3.7)), float(rng.uniform(5.5, 9))
    spot.shadow(half, length)
    at = _visible_side(spot, half)
    spot.sideways(box(0, 0.75, length, top), dimmed(paint, 0.78), "truck", at)
    spot.sideways(box(0.2, 0.4, length, 0.75), (0.1, 0.1, 0.1), "truck", at)
    for along in (1.2, length - 1.2):
        spot.sideways(disc(along, 0.48, 0.48), _TYRE, "truck", at)
    _wheels_facing(spot, half, "truck")
    spot.facing(box(-half, 0.45, half, 0.8), (0.1, 0.1, 0.1), "truck")
    spot.facing(box(-half, 0.8, half, top), paint, "truck")
    if rng.random() < 0.5:
        spot.facing(box(-0.03, 0.85, 0.03, top - 0.05), dimmed(paint, 0.5), "truck")
    else:
        spot.facing(box(-half * 0.85, 1.5, half * 0.85, 2.3), _glass(rng), "truck")
    _lamps(spot, half, 0.55, rng, "truck")


def paint_bus(spot: Spot, rng: np.random.Generator) -> None:
    """A bus: a wide pane in front, a row of windows along its side."""
    paint, glass = pick_paint(rng), _glass(rng)
    half, top, length = 1.25, float(rng.uniform(2.9, 3.3)), float(rng.uniform(9, 13))
    spot.shadow(half, length)
    at = _visible_side(spot, half)
    spot.sideways(box(0, 0.35, length, top), dimmed(paint, 0.82), "bus", at)
    for start in np.arange(0.4, length - 1.2, 1.5):
        spot.sideways(box(float(start), 1.35, float(start) + 1.2, 2.4), glass, "bus", at)
    for along in (2.2, length - 2.4):
        spot.sideways(disc(along, 0.48, 0.48), _TYRE, "bus", at)
    _wheels_facing(spot, half, "bus")
    spot.facing(box(-half, 0.3, half, top), paint, "bus")
    spot.facing(box(-half * 0.9, 1.1, half * 0.9, 2.5), glass, "bus")
    spot.facing(box(-half * 0.6, 2.6, half * 0.6, 2.85), (0.9, 0.6, 0.1), "bus")
    _lamps(spot, half, 0.6, rng, "bus")
