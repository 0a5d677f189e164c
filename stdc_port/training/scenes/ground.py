"""Sky and ground: road, markings, kerbs, pavements, and what lies beyond them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stdc_port.training.labels import ID_OF_NAME
from stdc_port.training.scenes.canvas import FAR, Camera, Canvas, Floats
from stdc_port.training.scenes.textures import Noise, grained, stripes


@dataclass(frozen=True)
class Street:
    """The plan of a street, in metres.

    Attributes:
        left: x of the left edge of the road (negative).
        right: x of the right edge.
        pavement: width of the pavements.
        verge: width of the strip of terrain behind them, on the left and on the right.
        bend: sideways shift of everything, per square metre of distance.
        parking: whether the road's right margin is a marked parking lane.
    """

    left: float
    right: float
    pavement: float
    verge: tuple[float, float]
    bend: float
    parking: bool

    def shift(self, z: float) -> float:
        """How far the street has swung sideways at distance z."""
        return self.bend * z * z

    def frontage(self, side: int) -> float:
        """X of the house fronts: side −1 is left, 1 is right."""
        if side < 0:
            return self.left - self.pavement - self.verge[0]
        return self.right + self.pavement + self.verge[1]


def pick_street(rng: np.random.Generator) -> Street:
    """A street with the camera somewhere in its right half."""
    width = rng.uniform(6.5, 13.0)
    right = rng.uniform(0.28, 0.5) * width
    verges = rng.uniform(0.8, 6.0, 2) * (rng.random(2) < 0.55)
    return Street(
        left=float(right - width),
        right=float(right),
        pavement=float(rng.uniform(1.5, 4.0)),
        verge=(float(verges[0]), float(verges[1])),
        bend=float(rng.normal(0, 0.0022)),
        parking=bool(rng.random() < 0.25),
    )


def paint_sky(canvas: Canvas, camera: Camera, rng: np.random.Generator) -> None:
    """Fill the canvas with a gradient and clouds, from clear blue to overcast."""
    height, width = canvas.labels.shape
    noise = Noise(rng)
    overcast = rng.random()
    blue = np.asarray((0.35, 0.55, 0.9), np.float32) * rng.uniform(0.8, 1.1)
    grey = np.full(3, rng.uniform(0.65, 0.98), np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None]
    lift = np.clip(1 - rows / max(camera.horizon, 1), 0, 1)[..., None]
    cover = np.clip(overcast + 1.6 * noise(columns * 6 / width, rows * 9 / width, 4), 0, 1)
    cover = np.maximum(cover[..., None], 1 - lift * 1.5)
    canvas.rgb[:] = blue * (1 - cover) + grey * cover
    canvas.labels[:] = ID_OF_NAME["sky"]


def paint_ground(canvas: Canvas, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    """Paint everything below the horizon."""
    first = max(int(np.ceil(camera.horizon + 0.5)), 0)
    height, width = canvas.labels.shape
    rows = np.arange(first, height, dtype=np.float32)[:, None] + 0.5
    columns = np.arange(width, dtype=np.float32)[None] + 0.5
    z = np.minimum(camera.focal * camera.height / (rows - camera.horizon), FAR)
    x = (columns - camera.centre) * z / camera.focal - street.bend * z * z
    labels, colours = _surfaces(street, np.asarray(x), np.asarray(z), rng)
    canvas.labels[first:] = labels
    canvas.rgb[first:] = colours * _shadow(street, np.asarray(x), np.asarray(z), rng)
    canvas.depth[first:] = z


def _surfaces(
    street: Street, x: Floats, z: Floats, rng: np.random.Generator
) -> tuple[np.ndarray, Floats]:
    noise, fine = Noise(rng), Noise(rng)
    grain = fine(x * 9, z * 3, 2)
    asphalt = float(rng.uniform(0.2, 0.42))
    tint = 1 + rng.uniform(-0.07, 0.07, 3)
    tone = (asphalt * float(tint[0]), asphalt * float(tint[1]), asphalt * float(tint[2]))
    stains = noise(x * 0.6, z * 0.15, 3)
    colours: Floats = grained(tone, grain * 0.25 + stains * 0.35, 1.0)
    painted = _markings(street, x, z, rng)[..., None] > 0
    colours = np.where(painted, 0.75 + 0.3 * grain[..., None], colours).astype(np.float32)
    labels = np.full(x.shape, ID_OF_NAME["road"], np.uint8)
    if street.parking:
        labels[(x > street.right - 2.2)] = ID_OF_NAME["parking"]
    slabs = asphalt * float(rng.uniform(0.9, 1.6))
    paving: Floats = grained((slabs * 1.04, slabs, slabs * 0.95), stains * 0.3 + grain * 0.15, 1.0)
    size = float(rng.uniform(0.5, 1.2))
    joints = np.maximum(stripes(x + 40, size, 0.08), stripes(z, size * 1.5, 0.08))
    paving = (paving * (1 - 0.3 * joints[..., None])).astype(np.float32)
    edge = np.maximum(street.left - x, x - street.right)
    paving = np.where((edge < 0.22)[..., None], slabs * 1.25, paving).astype(np.float32)
    earth = float(rng.uniform(0.2, 0.38))
    growth = (earth * float(rng.uniform(0.75, 1.25)), earth, earth * float(rng.uniform(0.4, 0.75)))
    verge = grained(growth, noise(x * 2.5, z * 1.2, 4), 1.1)
    for surface, label, start in ((paving, "sidewalk", 0.0), (verge, "terrain", street.pavement)):
        beyond = edge > start
        colours = np.where(beyond[..., None], surface, colours).astype(np.float32)
        labels[beyond] = ID_OF_NAME[label]
    return labels, np.asarray(colours, np.float32)


def _markings(street: Street, x: Floats, z: Floats, rng: np.random.Generator) -> Floats:
    """1 on lane lines, edge lines and, at times, on a zebra crossing."""
    middle = (street.left + street.right) / 2
    lines = (np.abs(x - middle) < 0.09) * stripes(z + rng.uniform(0, 9), 9.0, 0.45)
    lines = np.maximum(lines, np.abs(x - street.left - 0.4) < 0.07)
    if street.parking:
        lines = np.maximum(lines, np.abs(x - street.right + 2.2) < 0.07)
    if rng.random() < 0.3:
        start = rng.uniform(6, 22)
        zebra = (z > start) & (z < start + 3.5) & (x > street.left) & (x < street.right)
        lines = np.maximum(lines, zebra * stripes(x + 40, 1.0, 0.5))
    return np.asarray(lines, np.float32)


def _shadow(street: Street, x: Floats, z: Floats, rng: np.random.Generator) -> Floats:
    """(h, w, 1) factor: the houses of one side shade the ground, if the sun is out."""
    if rng.random() < 0.45:
        return np.ones((1, 1, 1), np.float32)
    side = 1 if rng.random() < 0.5 else -1
    reach = rng.uniform(0, 9)
    roofs = Noise(rng)(np.zeros_like(z), z * 0.12, 2) * 6
    shaded = side * (x - street.frontage(side)) > -(reach + roofs)
    return np.where(shaded, np.float32(rng.uniform(0.4, 0.65)), np.float32(1))[..., None]
