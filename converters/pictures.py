"""Pictures that somebody else made: opened with care, and never taken for what they are not.

Needs Pillow, which is imported at the first picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

#: Of a picture; unpacked it takes four bytes for each, and a copy as much again.
MOST_PIXELS = 80_000_000
# Modes of more than 8 bits a channel: Pillow's conversion cuts their values off at 255.
_DEEP = ("I", "F")
# Formats of cameras, and where EXIF says which side is up.
_TURNED, _ORIENTATION = ("JPEG", "MPO", "TIFF", "WEBP"), 0x0112


@contextmanager
def opened(path: Path) -> Iterator[Image]:
    """Open a picture: no pipe, which would be waited for, no film, none that unpacks without end.

    Raises:
        OSError: it is no picture, or one of those, or is damaged; also while it is open.
        ValueError: the same.
        SyntaxError: the same.
    """
    from PIL import Image

    if path.exists() and not path.is_file():
        raise OSError("is no regular file")
    try:
        with Image.open(path) as image:
            _require_one(image)
            yield image
    except (OSError, ValueError, SyntaxError):
        raise
    except Exception as error:  # Pillow's readers raise whatever they stumble on
        raise OSError(f"is damaged, or no picture ({type(error).__name__}: {error})") from error


def as_rgb(image: Image, *, upright: bool = False) -> Image:
    """Return a picture of 8-bit colours.

    Args:
        image: the picture, opened.
        upright: turn it as its EXIF says a viewer shall; without this such a picture is refused,
            since what belongs to its pixels may lie the one way or the other.

    Raises:
        ValueError: it has more than 8 bits a channel, or is to be turned.
    """
    from PIL import ImageOps

    require_depth(image)
    if upright:
        return (ImageOps.exif_transpose(image) or image).convert("RGB")
    require_upright(image)
    return image.convert("RGB")


def require_depth(image: Image) -> None:
    """Refuse a picture of more than 8 bits a channel.

    Raises:
        ValueError: it is one.
    """
    if image.mode.startswith(_DEEP):
        raise ValueError(
            f"is a picture of mode {image.mode}, whose values Pillow would cut off at 255; "
            "save it with 8 bits a channel"
        )


def require_upright(image: Image) -> None:
    """Refuse a picture that viewers show turned.

    Raises:
        ValueError: it is one.
    """
    turned = image.getexif().get(_ORIENTATION, 1) if image.format in _TURNED else 1
    if turned != 1:
        raise ValueError(
            f"is to be shown turned (EXIF orientation {turned}); save it upright, as "
            "mogrify -auto-orient does"
        )


def _require_one(image: Image) -> None:
    pixels = image.width * image.height
    if pixels > MOST_PIXELS:
        raise OSError(f"has {pixels} pixels; expected at most {MOST_PIXELS}")
    # A camera's second picture (MPO) is a small one of the first.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise ValueError("holds several pictures; take them apart, and name one of them")
