"""Noise and surfaces: functions from surface coordinates in metres to colours."""

from __future__ import annotations

import numpy as np

from stdc_port.training.scenes.canvas import Colour, Floats

_PERIOD = 64


class Noise:
    """Smooth value noise over a plane, periodic, with several octaves."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Fill the lattice from `rng`."""
        self._lattice = rng.random((_PERIOD, _PERIOD), dtype=np.float32)

    def __call__(self, x: Floats, y: Floats, octaves: int = 1) -> Floats:
        """Values around 0, within ±0.5, at coordinates in lattice steps (shapes broadcast)."""
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
        weight, reach = 1.0, 0.0
        for octave in range(octaves):
            total += weight * self._sample(x * 2**octave + 17.3 * octave, y * 2**octave)
            reach += weight
            weight *= 0.6
        return np.asarray(total / reach - 0.5, np.float32)

    def _sample(self, x: Floats, y: Floats) -> Floats:
        column, row = np.floor(x), np.floor(y)
        across, down = x - column, y - row
        left, top = column.astype(np.int64) % _PERIOD, row.astype(np.int64) % _PERIOD
        right, bottom = (left + 1) % _PERIOD, (top + 1) % _PERIOD
        lattice = self._lattice
        upper = lattice[top, left] * (1 - across) + lattice[top, right] * across
        lower = lattice[bottom, left] * (1 - across) + lattice[bottom, right] * across
        return np.asarray(upper * (1 - down) + lower * down, np.float32)


def pick_paint(rng: np.random.Generator) -> Colour:
    """A paint that cars, clothes, doors and signs may all have."""
    grey = float(rng.uniform(0.08, 0.85))
    if rng.random() < 0.45:
        return (grey, grey, grey)
    hue = rng.uniform(0.1, 0.75, 3)
    return (float(hue[0]), float(hue[1]), float(hue[2]))


def pick_masonry(rng: np.random.Generator) -> Colour:
    """The colour of a house front, a wall or a kerb: greys, ochres, brick."""
    base = rng.uniform(0.22, 0.75)
    warm = rng.uniform(-0.06, 0.16)
    return (float(base + warm), float(base + warm * 0.35), float(base - warm * 0.6))


def grained(colour: Colour, grain: Floats, strength: float) -> Floats:
    """(…, 3): a colour made lighter and darker by noise of shape (…)."""
    return np.asarray(
        np.asarray(colour, np.float32) * (1 + strength * grain[..., None]), np.float32
    )


def stripes(coordinate: Floats, period: float, share: float) -> Floats:
    """1 on the first `share` of every period of a coordinate, 0 elsewhere."""
    return np.asarray(np.mod(coordinate, period) < share * period, np.float32)


def house_front(rng: np.random.Generator, noise: Noise, along: Floats, up: Floats) -> Floats:
    """(h, w, 3): masonry with rows of windows and a darker ground floor."""
    colour = pick_masonry(rng)
    surface = grained(colour, noise(along * 1.5, up * 1.5, 3), 0.45)
    bay, storey = rng.uniform(2.2, 4.0), rng.uniform(2.8, 3.6)
    window = stripes(along + 50, bay, rng.uniform(0.35, 0.6)) * stripes(
        up - 0.9, storey, rng.uniform(0.45, 0.6)
    )
    glass = float(rng.uniform(0.05, 0.5))
    pane = np.asarray((glass * 0.9, glass, glass * 1.15), np.float32)
    reflected = pane * (1 + 0.9 * noise(along * 0.7, up * 0.9)[..., None])
    surface = np.where(window[..., None] > 0, reflected, surface)
    ledge = stripes(up, storey, 0.06)
    return np.asarray(surface * (1 - 0.35 * ledge[..., None]), np.float32)


def brickwork(rng: np.random.Generator, noise: Noise, along: Floats, up: Floats) -> Floats:
    """(h, w, 3): a plain wall with courses and weathering."""
    surface = grained(pick_masonry(rng), noise(along * 2.0, up * 2.0, 4), 0.6)
    joints = np.maximum(stripes(up, 0.4, 0.12), stripes(along, 1.1, 0.05))
    return np.asarray(surface * (1 - 0.3 * joints[..., None]), np.float32)


def foliage(rng: np.random.Generator, noise: Noise, along: Floats, up: Floats) -> Floats:
    """(h, w, 3): leaves, from fresh to autumn, with deep shadows between them."""
    green = float(rng.uniform(0.16, 0.42))
    colour = (green * float(rng.uniform(0.6, 1.25)), green, green * float(rng.uniform(0.3, 0.75)))
    clumps = noise(along * 2.2, up * 2.2, 4)
    return np.maximum(grained(colour, clumps, 2.4), 0.02)
