"""Parts of a resized picture, with the bits that a cut from the whole resized picture has.

Pillow's bilinear filter computes each new pixel from where it lies in the old picture. With
W / W' = p / q in lowest terms, new pixels that are q apart lie p old pixels apart, so a window of
whole periods is resized exactly as the whole is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor, gcd

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Size = tuple[int, int]


@dataclass(frozen=True)
class Span:
    """A stretch of one axis of a resized picture, and what of the old one it is made of.

    Attributes:
        read: first and last (exclusive) old pixel to resize.
        size: to how many new pixels they become.
        skip: how many of these lie before the stretch.
    """

    read: tuple[int, int]
    size: int
    skip: int


def span(old: int, new: int, first: int, last: int) -> Span:
    """Return what a stretch of a resized axis is made of.

    Args:
        old: length of the axis.
        new: its length resized.
        first: first pixel of the stretch.
        last: the pixel after its last.
    """
    if old == new:
        return Span((first, last), last - first, 0)
    periods = gcd(old, new)
    from_old, to_new = old // periods, new // periods
    scale = old / new
    reach = max(scale, 1.0) + 1  # of the filter, and a pixel more
    begin = max(floor(((first + 0.5) * scale - reach) / from_old), 0)
    end = min(ceil(((last - 0.5) * scale + reach) / from_old), periods)
    return Span((begin * from_old, end * from_old), (end - begin) * to_new, first - begin * to_new)


def needed(old: Size, new: Size, box: tuple[int, int, int, int]) -> tuple[Span, Span]:
    """Return the spans, across and down, of a box in a picture resized from one size to another."""
    left, top, right, bottom = box
    return span(old[0], new[0], left, right), span(old[1], new[1], top, bottom)


def resized(part: Image.Image, across: Span, down: Span, size: Size) -> Image.Image:
    """Return the box of a resized picture, from the part of the old one that its spans name.

    Args:
        part: the old pixels of both spans.
        across: of the columns.
        down: of the rows.
        size: of the box.
    """
    part = whole(part, (across.size, down.size))
    left, top = across.skip, down.skip
    return part.crop((left, top, left + size[0], top + size[1]))


def whole(image: Image.Image, size: Size) -> Image.Image:
    """Return a resized picture: bilinear, across first.

    Pillow itself began with version 13 to resize some tall pictures down first, which rounds
    differently; the authors' Pillow never did.
    """
    for step in ((size[0], image.height), size):
        if step != image.size:
            image = image.resize(step, Image.Resampling.BILINEAR)
    return image


@lru_cache(maxsize=64)
def nearest(old: int, new: int) -> NDArray[np.int32]:
    """Return (new,) for each pixel of a resized axis the old one that Pillow's NEAREST takes."""
    ruler = Image.fromarray(np.arange(old, dtype=np.int32)[None])
    picked = np.array(ruler.resize((new, 1), Image.Resampling.NEAREST), np.int32)[0]
    picked.flags.writeable = False
    return picked
