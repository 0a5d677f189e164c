"""Inputs out of files: arrays, archives of arrays, dumps, images."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import converters
from parity.dump import Dump, is_dump

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Colours = tuple[float, float, float]
#: How `numpy.savez` calls what it is given by position.
BY_POSITION = "arr_"
#: What a packed archive may take beyond its size: a bomb unpacks to a thousand times of it.
MOST_UNPACKED = 1 << 27


class InputError(converters.InputError, ValueError):
    """An input cannot be had; names the option, what was found, and what is possible."""


@dataclass(frozen=True)
class Picture:
    """How an image becomes an input.

    Attributes:
        size: Height and width that it is resized to.
        mean: Subtracted from RGB values between 0 and 1.
        std: Divided by then.
        batched: The networks take nothing but batches of images: an array of three axes lacks the
            first.
    """

    size: tuple[int, int]
    mean: Colours
    std: Colours
    batched: bool = False


def from_file(path: Path, picture: Picture) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield each input of a file with its name, '' for one by position, and a word on it.

    Raises:
        InputError: The file holds none.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"--input {path}: is no regular file")
    try:
        if is_dump(path):
            yield from _of_dump(path)
        elif zipfile.is_zipfile(path):
            yield from _of_archive(path)
        elif path.suffix == ".npy":
            array = _numbers(path, path.name, np.load(path, allow_pickle=False))
            lacks_batch = picture.batched and array.ndim == 3
            yield "", array[None] if lacks_batch else array, f"from {path.name}"
        else:
            yield "", *_image(path, picture)
    except InputError:
        raise
    except Exception as error:  # whatever numpy, zipfile and Pillow stumble on in a damaged file
        raise InputError(f"--input {path}: cannot be read ({error})") from error


def _of_dump(path: Path) -> Iterator[tuple[str, np.ndarray, str]]:
    for name, array in Dump(path).inputs().items():
        yield name, array, f"as in {path.name}"


def _of_archive(path: Path) -> Iterator[tuple[str, np.ndarray, str]]:
    with zipfile.ZipFile(path) as table:
        unpacked = sum(info.file_size for info in table.infolist())
    if unpacked > path.stat().st_size + MOST_UNPACKED:
        raise InputError(
            f"--input {path}: unpacks to {unpacked} bytes; save it unpacked, with numpy.savez"
        )
    with np.load(path, allow_pickle=False) as content:
        for name in sorted(content.files, key=lambda name: not name.startswith(BY_POSITION)):
            own = "" if name.startswith(BY_POSITION) else name
            yield own, _numbers(path, name, content[name]), f"from {path.name}"


def _numbers(path: Path, name: str, array: Any) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iufb":
        raise InputError(f"--input {path}: {name} is no array of numbers")
    return array


def _image(path: Path, picture: Picture) -> tuple[np.ndarray, str]:
    try:
        from PIL import Image, UnidentifiedImageError

        from converters.pictures import as_rgb, opened
    except ImportError as error:
        raise InputError(
            f"--input {path}: reading an image needs Pillow; run: pip install pillow"
        ) from error
    try:
        with opened(path) as file:
            image = as_rgb(file, upright=True)
    except UnidentifiedImageError as error:
        raise InputError(f"--input {path}: neither an image nor a .npy or .npz file") from error
    height, width = picture.size
    found = f"{image.height}×{image.width}"
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    values = np.asarray(resized, np.float32) / np.float32(255)
    mean, std = np.array(picture.mean, np.float32), np.array(picture.std, np.float32)
    array = np.ascontiguousarray(((values - mean) / std).transpose(2, 0, 1)[None])
    return array, (
        f"from {path.name}: {found} resized to {height}×{width} (bilinear), RGB of mean "
        f"{_three(picture.mean)} and standard deviation {_three(picture.std)} taken out"
    )


def _three(colours: Colours) -> str:
    return ", ".join(f"{value:g}" for value in colours)
