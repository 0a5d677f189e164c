"""A Cityscapes folder: pictures and labels paired by name, every problem told before training."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from converters.errors import InputError, indented
from converters.pictures import as_rgb, opened
from stdc_port.training.labels import NUM_CLASSES, TRAIN_ID_OF_ID, unknown_ids

SPLITS = ("train", "val")
_IMAGE = "_leftImg8bit.png"
_TRAIN_IDS = "_gtFine_labelTrainIds.png"
_LABEL_IDS = "_gtFine_labelIds.png"
_SHOWN = 20
_THREADS = 8
_Read = TypeVar("_Read")
_DOWNLOAD = "Cityscapes has leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip, unpacked here"


@dataclass(frozen=True)
class Pair:
    """One picture with its labels.

    Attributes:
        name: what both files' names begin with.
        image: the picture.
        labels: its label picture.
        train_ids: whether the label picture holds train ids already.
    """

    name: str
    image: Path
    labels: Path
    train_ids: bool


class DamagedPairError(InputError):
    """A pair that cannot be used.

    Attributes:
        problems: all that is wrong with it.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(*indented(problems))
        self.problems = tuple(problems)


def find_pairs(root: Path, split: str) -> tuple[Pair, ...]:
    """Pair the pictures of a split with their labels, by name; files are not opened.

    Args:
        root: the folder that holds `leftImg8bit` and `gtFine`.
        split: one of SPLITS.

    Raises:
        InputError: a folder or a partner is missing; all of them are listed.
    """
    folders = [root / kind / split for kind in ("leftImg8bit", "gtFine")]
    missing = [f"missing folder {folder}" for folder in folders if not folder.is_dir()]
    _refuse(root, missing, hint=_DOWNLOAD)
    images = {_stem(path, _IMAGE): path for path in sorted(folders[0].glob(f"*/*{_IMAGE}"))}
    labels = {}
    for suffix in (_LABEL_IDS, _TRAIN_IDS):  # the later one wins
        for path in sorted(folders[1].glob(f"*/*{suffix}")):
            labels[_stem(path, suffix)] = path
    problems = [] if images else [f"no picture <city>/*{_IMAGE} in {folders[0]}"]
    problems += [
        f"{images[name]}: no {name}{_LABEL_IDS} in {folders[1]}"
        for name in sorted(images.keys() - labels.keys())
    ]
    problems += [
        f"{labels[name]}: no {name}{_IMAGE} in {folders[0]}"
        for name in sorted(labels.keys() - images.keys())
    ]
    _refuse(root, problems, hint=_DOWNLOAD)
    return tuple(
        Pair(name, image, labels[name], labels[name].name.endswith(_TRAIN_IDS))
        for name, image in images.items()
    )


def check_pairs(
    root: Path, pairs: Sequence[Pair], *, advance: Callable[[str], None] = lambda _: None
) -> NDArray[np.int64]:
    """Open every file of a set once, several at a time.

    Args:
        root: named in the error.
        pairs: to check.
        advance: told each name.

    Returns:
        (N, 19) labelled pixels of each class in each pair.

    Raises:
        InputError: a file is unreadable, the sizes of a pair differ, or a label value stands for
            nothing; all of them are listed.
    """
    problems: list[str] = []
    counts = np.zeros((len(pairs), NUM_CLASSES), np.int64)
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS)) as pool:
        for number, found in enumerate(pool.map(_class_pixels, pairs)):
            if isinstance(found, DamagedPairError):
                problems += found.problems
            else:
                counts[number] = found
            advance(pairs[number].name)
    _refuse(root, problems, hint="replace these files; a partial download is the usual cause")
    return counts


def _class_pixels(pair: Pair) -> NDArray[np.int64] | DamagedPairError:
    try:
        _, labels = read_pair(pair)
    except DamagedPairError as error:
        return error
    return np.bincount(labels.ravel(), minlength=NUM_CLASSES)[:NUM_CLASSES]


def read_pair(pair: Pair) -> tuple[Image.Image, NDArray[np.uint8]]:
    """Read a pair: an RGB picture and its (H, W) train ids, both checked.

    Raises:
        DamagedPairError: a file is unreadable, the sizes differ, or a label value stands for
            nothing.
    """
    image = _readable(pair.image, read_image)
    values = _readable(pair.labels, read_label_values)
    problems = []
    if image.size != values.shape[::-1]:
        expected = "×".join(map(str, image.size))
        found = "×".join(map(str, values.shape[::-1]))
        problems.append(f"{pair.labels}: expected {expected} pixels as its picture, found {found}")
    unknown = unknown_ids(values, train_ids=pair.train_ids)
    if unknown:
        known = "0-18 and 255" if pair.train_ids else "0-33"
        problems.append(f"{pair.labels}: unknown label values {unknown}; known are {known}")
    if problems:
        raise DamagedPairError(problems)
    return image, train_ids(pair, values)


def _readable(path: Path, read: Callable[[Path], _Read]) -> _Read:
    try:
        return read(path)
    except (OSError, ValueError, SyntaxError) as error:
        raise DamagedPairError([f"{path}: unreadable ({error})"]) from error


def read_image(path: Path, *, upright: bool = False) -> Image.Image:
    """Read a picture as RGB; see `converters.pictures.as_rgb`.

    Raises:
        OSError: it is no picture, or broken.
        ValueError: it has more than 8 bits a channel, or is to be turned.
    """
    with opened(path) as image:
        pixels = _decoded(path, image) if image.mode == "RGB" else None
        return as_rgb(image, upright=upright) if pixels is None else Image.fromarray(pixels)


def _decoded(path: Path, image: Image.Image) -> NDArray[np.uint8] | None:
    """Pixels of a plain PNG by a decoder that takes half of Pillow's time, if it is there and can.

    Args:
        path: of the picture.
        image: it, opened and not yet decoded; what kind it is.
    """
    axes = {"RGB": 3, "L": 2}.get(image.mode)
    if image.format != "PNG" or axes is None or "transparency" in image.info:
        return None
    try:
        from imagecodecs import PngError, png_decode
    except ImportError:
        return None
    try:
        pixels: NDArray[np.uint8] = png_decode(path.read_bytes())
    except PngError:
        return None  # Pillow says what is wrong with it, or reads it all the same
    return pixels if pixels.dtype == np.uint8 and pixels.ndim == axes else None


def read_labels(pair: Pair) -> NDArray[np.uint8]:
    """(H, W) train ids of a pair, 255 where nothing is trained."""
    return train_ids(pair, read_label_values(pair.labels))


def train_ids(pair: Pair, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Train ids of some of the values that a pair's label picture holds."""
    return values if pair.train_ids else TRAIN_ID_OF_ID[values]


def _stem(path: Path, suffix: str) -> str:
    return path.name.removesuffix(suffix)


def read_label_values(path: Path) -> NDArray[np.uint8]:
    """(H, W) values of a label picture, as they stand in the file.

    Raises:
        ValueError: it is no picture of one 8-bit value a pixel.
    """
    with opened(path) as image:
        if image.mode not in {"L", "P"}:
            raise ValueError(f"is a {image.mode} picture; labels have one 8-bit value a pixel")
        pixels = _decoded(path, image)
        return np.asarray(image, np.uint8) if pixels is None else pixels


def _refuse(root: Path, problems: Sequence[str], *, hint: str) -> None:
    if not problems:
        return
    lines = [f"{root}: {len(problems)} problems with the data set", *problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"and {len(problems) - _SHOWN} more")
    raise InputError(*indented([*lines, hint]))
