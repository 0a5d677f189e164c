"""Pictures that would be read as something else, or without end, are told to be."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converters.pictures import MOST_PIXELS, as_rgb, opened

PIXELS = np.random.default_rng(1).integers(0, 256, (4, 6, 3)).astype(np.uint8)
WHOLE = Image.fromarray(PIXELS)


def saved(path: Path, image: Image.Image = WHOLE, **options: Any) -> Path:
    image.save(path, **options)
    return path


def turned(path: Path, orientation: int) -> Path:
    exif = WHOLE.getexif()
    exif[0x0112] = orientation
    return saved(path, exif=exif, quality=100)


def read(path: Path, **options: Any) -> Image.Image:
    with opened(path) as image:
        return as_rgb(image, **options)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "PA", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_pictures_of_8_bits_are_converted_as_pillow_does(tmp_path: Path, mode: str) -> None:
    suffix = "tif" if mode in {"PA", "YCbCr", "CMYK"} else "png"
    image = WHOLE.convert("RGBA" if mode == "PA" else mode)
    path = saved(tmp_path / f"a.{suffix}", image)
    with Image.open(path) as wanted:
        assert np.array_equal(np.asarray(read(path)), np.asarray(wanted.convert("RGB")))


@pytest.mark.parametrize(
    ("kind", "name"), [("uint16", "a.png"), ("int32", "a.tif"), ("float32", "a.tif")]
)
def test_more_bits_are_not_cut_off(tmp_path: Path, kind: str, name: str) -> None:
    path = saved(tmp_path / name, Image.fromarray(PIXELS[..., 0].astype(kind)))
    with pytest.raises(ValueError, match="save it with 8 bits a channel"):
        read(path)


def test_colours_of_16_bits_lose_their_lower_ones(tmp_path: Path) -> None:
    wide = np.random.default_rng(2).integers(0, 2**16, (4, 6, 3)).astype(">u2")
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in wide))
    head = struct.pack(">IIBBBBB", 6, 4, 16, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(png((b"IHDR", head), (b"IDAT", rows), (b"IEND", b"")))
    assert np.array_equal(np.asarray(read(path)), (wide >> 8).astype(np.uint8))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "gif"])
def test_a_film_is_no_picture(tmp_path: Path, suffix: str) -> None:
    others = [WHOLE.rotate(90), WHOLE.rotate(180)]
    path = saved(tmp_path / f"a.{suffix}", save_all=True, append_images=others)
    with pytest.raises(ValueError, match="take them apart"):
        read(path)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_picture_is_turned_or_refused(tmp_path: Path, orientation: int) -> None:
    path = turned(tmp_path / "a.jpg", orientation)
    with pytest.raises(ValueError, match=rf"EXIF orientation {orientation}.*save it upright"):
        read(path)
    sides = (4, 6) if orientation > 4 else (6, 4)
    assert read(path, upright=True).size == sides
    upright = turned(tmp_path / "b.jpg", 1)
    assert read(upright).size == (6, 4)


@pytest.mark.parametrize("side", [20_000, 100_000])
def test_none_is_unpacked_without_end(tmp_path: Path, side: int) -> None:
    assert side**2 > MOST_PIXELS
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(png((b"IHDR", head), (b"IDAT", zlib.compress(bytes(2**16))), (b"IEND", b"")))
    with pytest.raises(OSError, match=f"{side**2} pixels"):
        read(path)


def test_what_is_cut_off_or_no_picture_or_a_pipe(tmp_path: Path) -> None:
    cut = saved(tmp_path / "a.png")
    cut.write_bytes(cut.read_bytes()[:60])
    (tmp_path / "b.png").write_text("no picture")
    os.mkfifo(tmp_path / "c.png")
    for name in ("a.png", "b.png", "c.png"):
        with pytest.raises((OSError, ValueError, SyntaxError)):
            read(tmp_path / name)


def test_whatever_a_reader_stumbles_on_is_an_error_of_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png")
    with pytest.raises(OSError, match=r"is damaged, or no picture \(IndexError: 7\)"), opened(path):
        raise IndexError(7)
