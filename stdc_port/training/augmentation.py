"""The authors' augmentation, with the library that they used: colours, flip, scale, crop.

A sample is a pure function of (seed, epoch, index), whoever computes it and in whatever order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageStat

from stdc_port.spec import IMAGENET_MEAN, IMAGENET_STD
from stdc_port.training.labels import IGNORE
from stdc_port.training.resample import Size, nearest, needed, resized

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of the colours, RGB, of values between 0 and 1.

    It belongs to the weights: PaddleSeg's default of 0.5 on ImageNet weights shifts every input.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @cached_property
    def _table(self) -> Floats:
        """(3, 256) what becomes of each value."""
        mean, std = (np.array(values, np.float32)[:, None] for values in (self.mean, self.std))
        colours: Floats = np.arange(256, dtype=np.float32) / np.float32(255)
        return np.asarray((colours - mean) / std, np.float32)

    def apply(self, image: Image.Image) -> Floats:
        """(3, H, W) float32 of an RGB picture."""
        pixels = np.asarray(image)
        values: Floats = np.empty((3, *pixels.shape[:2]), np.float32)
        for channel, table in enumerate(self._table):
            np.take(table, pixels[..., channel], out=values[channel], mode="clip")
        return values


IMAGENET = Normalisation(IMAGENET_MEAN, IMAGENET_STD)


@dataclass(frozen=True)
class Draw:
    """What was drawn for one sample.

    Attributes:
        brightness: factor.
        contrast: factor.
        saturation: factor.
        mirrored: whether left and right are exchanged.
        size: of the whole resized picture.
        box: left, top, right, bottom of the crop in it.
    """

    brightness: float
    contrast: float
    saturation: float
    mirrored: bool
    size: Size
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Augmentation:
    """What happens to a training picture: colours, mirror, scale, crop, in this order.

    The order is the authors'; computed is only what the crop shows. One thing needs the whole
    picture: contrast pulls towards the mean grey, that of the whole picture once it is brightened.

    Attributes:
        crop: (width, height) of the result.
        scales: one is drawn, each as likely.
        jitter: brightness, contrast and saturation are each multiplied by a factor drawn from
            1 ± this.
        flip: chance of a mirrored picture.
    """

    crop: Size
    scales: tuple[float, ...]
    jitter: tuple[float, float, float]
    flip: float

    def draw(self, size: Size, rng: np.random.Generator) -> Draw:
        """Draw all that chance settles of a sample.

        Args:
            size: (width, height) of the picture.
            rng: source of chance.
        """
        factors = [float(rng.uniform(max(1 - reach, 0), 1 + reach)) for reach in self.jitter]
        mirrored = bool(rng.random() < self.flip)
        scale = self.scales[int(rng.integers(len(self.scales)))]
        size = self._enlarged((int(size[0] * scale), int(size[1] * scale)))
        return Draw(factors[0], factors[1], factors[2], mirrored, size, self._place(size, rng))

    def apply(
        self, image: Image.Image, labels: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[Image.Image, NDArray[np.uint8]]:
        """A crop of an RGB picture and of its labels, both of the size `crop`."""
        drawn = self.draw(image.size, rng)
        return picture(image, drawn), mask(labels, drawn)

    def _enlarged(self, size: Size) -> Size:
        """The size itself, or one pixel more than the crop needs, if it is too small for it."""
        width, height = max(size[0], 1), max(size[1], 1)
        if width >= self.crop[0] and height >= self.crop[1]:
            return width, height
        # The authors enlarge once more after scaling; in one step nothing is interpolated twice.
        factor = max(self.crop[0] / width, self.crop[1] / height)
        return int(width * factor + 1), int(height * factor + 1)

    def _place(self, size: Size, rng: np.random.Generator) -> tuple[int, int, int, int]:
        left = int(rng.random() * (size[0] - self.crop[0]))
        top = int(rng.random() * (size[1] - self.crop[1]))
        return left, top, left + self.crop[0], top + self.crop[1]


def picture(image: Image.Image, drawn: Draw) -> Image.Image:
    """Return the crop of a sample's RGB picture."""
    left, top, right, bottom = drawn.box
    across, down = needed(image.size, drawn.size, drawn.box)
    first, last = across.read
    if drawn.mirrored:
        first, last = image.width - last, image.width - first
    part = image.crop((first, down.read[0], last, down.read[1]))
    part = _jittered(part, drawn, mean_grey(image, drawn.brightness))
    if drawn.mirrored:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return resized(part, across, down, (right - left, bottom - top))


def mask(labels: NDArray[np.uint8], drawn: Draw) -> NDArray[np.uint8]:
    """Return the crop of a sample's labels: those of the nearest pixels."""
    height, width = labels.shape
    left, top, right, bottom = drawn.box
    columns = nearest(width, drawn.size[0])[left:right]
    rows = nearest(height, drawn.size[1])[top:bottom]
    return labels[np.ix_(rows, width - 1 - columns if drawn.mirrored else columns)]


def mean_grey(image: Image.Image, brightness: float) -> int:
    """Return the mean grey of a brightened RGB picture, rounded as Pillow's contrast does."""
    grey = image.point(_table(_brightened(brightness))).convert("L")
    return int(ImageStat.Stat(grey).mean[0] + 0.5)


def _jittered(part: Image.Image, drawn: Draw, grey: int) -> Image.Image:
    # Brightness and contrast change each value by itself: a table of 256 rows for both.
    values = _brightened(drawn.brightness)
    values = Image.blend(Image.new("L", values.size, grey), values, drawn.contrast)
    return ImageEnhance.Color(part.point(_table(values))).enhance(drawn.saturation)


def _brightened(factor: float) -> Image.Image:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    return ImageEnhance.Brightness(ramp).enhance(factor)


def _table(values: Image.Image) -> list[int]:
    return list(values.tobytes()) * 3


def sample_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The source of chance of one sample."""
    return np.random.default_rng([seed, epoch, index])


def trained_share(labels: NDArray[np.uint8]) -> float:
    """Share of pixels that count in the loss."""
    return float((labels != IGNORE).mean())
