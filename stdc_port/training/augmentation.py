"""The authors' augmentation, with the library that they used: colours, flip, scale, crop.

A sample is a pure function of (seed, epoch, index), whoever computes it and in whatever order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from stdc_port.spec import IMAGENET_MEAN, IMAGENET_STD
from stdc_port.training.labels import IGNORE

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of the colours, RGB, of values between 0 and 1.

    It belongs to the weights: PaddleSeg's default of 0.5 on ImageNet weights shifts every input.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def apply(self, image: Image.Image) -> Floats:
        """(3, H, W) float32 of an RGB picture."""
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        colours: Floats = np.asarray(image, np.float32) / np.float32(255)
        values = (colours - mean) / std
        return np.ascontiguousarray(values.transpose(2, 0, 1))


IMAGENET = Normalisation(IMAGENET_MEAN, IMAGENET_STD)


@dataclass(frozen=True)
class Augmentation:
    """What happens to a training picture.

    Attributes:
        crop: (width, height) of the result.
        scales: one is drawn, each as likely.
        jitter: brightness, contrast and saturation are each multiplied by a factor drawn from
            1 ± this.
        flip: chance of a mirrored picture.
    """

    crop: tuple[int, int]
    scales: tuple[float, ...]
    jitter: tuple[float, float, float]
    flip: float

    def apply(
        self, image: Image.Image, labels: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[Image.Image, NDArray[np.uint8]]:
        """A crop of a picture and of its train ids, both of the size `crop`."""
        image = self._jitter(image, rng)
        mask = Image.fromarray(labels)
        if rng.random() < self.flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            mask = mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        scale = self.scales[int(rng.integers(len(self.scales)))]
        size = self._enlarged((int(image.width * scale), int(image.height * scale)))
        if size != image.size:
            image = image.resize(size, Image.Resampling.BILINEAR)
            mask = mask.resize(size, Image.Resampling.NEAREST)
        box = self._place(size, rng)
        return image.crop(box), np.asarray(mask.crop(box), np.uint8)

    def _jitter(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
        for reach, enhancer in zip(self.jitter, enhancers, strict=True):
            image = enhancer(image).enhance(float(rng.uniform(max(1 - reach, 0), 1 + reach)))
        return image

    def _enlarged(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size itself, or one pixel more than the crop needs, if it is too small for it."""
        width, height = size
        if width >= self.crop[0] and height >= self.crop[1]:
            return size
        # The authors enlarge once more after scaling; in one step nothing is interpolated twice.
        factor = max(self.crop[0] / max(width, 1), self.crop[1] / max(height, 1))
        return int(width * factor + 1), int(height * factor + 1)

    def _place(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, int, int]:
        left = int(rng.random() * (size[0] - self.crop[0]))
        top = int(rng.random() * (size[1] - self.crop[1]))
        return left, top, left + self.crop[0], top + self.crop[1]


def sample_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The source of chance of one sample."""
    return np.random.default_rng([seed, epoch, index])


def trained_share(labels: NDArray[np.uint8]) -> float:
    """Share of pixels that count in the loss."""
    return float((labels != IGNORE).mean())
