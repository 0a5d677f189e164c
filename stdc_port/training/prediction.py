"""Predictions as files: pictures with the colours of their classes, and label maps.

A folder of predictions says in a file what made it, so that a run that was cut off goes on, and
one with other weights does not mix with it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from converters import InputError
from converters.errors import indented
from converters.files import made_folder, temporary_beside, write_text
from converters.shown import Shown
from stdc_port.training.cityscapes import read_image
from stdc_port.training.labels import COLOUR_OF_TRAIN_ID, ID_OF_TRAIN_ID

NOTE = "predictions.json"
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".tif", ".tiff"}
_VIDEOS = {".mp4", ".avi", ".mkv", ".mov", ".webm"}
_SHARE = 0.5
_SHOWN = 5

TrainIds = NDArray[np.uint8]


def overlay(image: Image.Image, train_ids: TrainIds, *, share: float = _SHARE) -> Image.Image:
    """A picture with the colours of its classes laid over it, `share` of them."""
    return Image.blend(image, Image.fromarray(COLOUR_OF_TRAIN_ID[train_ids]), share)


KINDS: Mapping[str, Callable[[Image.Image, TrainIds], Image.Image]] = {
    "overlays": overlay,
    "trainIds": lambda _, train_ids: Image.fromarray(train_ids),
    "labelIds": lambda _, train_ids: Image.fromarray(ID_OF_TRAIN_ID[train_ids]),
}
"""Folder by folder what is written of a prediction; Cityscapes' server takes the `labelIds`."""


@dataclass(frozen=True)
class Frame:
    """A picture to predict.

    Attributes:
        source: its file.
        name: of its predictions in each folder, with the folders it lies in.
    """

    source: Path
    name: Path

    def targets(self, output: Path) -> dict[str, Path]:
        """Files of its predictions, by kind."""
        return {kind: output / kind / self.name for kind in KINDS}

    def done(self, output: Path) -> bool:
        """Whether all of them are there, and no older than the picture."""
        since = self.source.stat().st_mtime_ns
        found = [path for path in self.targets(output).values() if path.is_file()]
        return len(found) == len(KINDS) and all(p.stat().st_mtime_ns >= since for p in found)


def find_frames(source: Path) -> list[Frame]:
    """A picture, or all pictures below a folder, sorted; the folders below it are kept.

    Raises:
        InputError: there is none, or two would get the same name.
    """
    if source.suffix.lower() in _VIDEOS and source.is_file():
        raise InputError(
            f"{source}: a film; take its pictures apart first, "
            f"ffmpeg -i {source.name} frames/%06d.png, and name the folder"
        )
    if source.is_file():
        return [Frame(source, Path(f"{source.stem}.png"))]
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise InputError(f"{source}: no picture ({', '.join(sorted(_SUFFIXES))}) there")
    frames = [Frame(path, path.relative_to(source).with_suffix(".png")) for path in found]
    by_name: dict[Path, list[str]] = {}
    for frame in frames:
        by_name.setdefault(frame.name, []).append(frame.source.name)
    doubled = [" and ".join(sources) for sources in by_name.values() if len(sources) > 1]
    if doubled:
        raise InputError(
            f"{source}: these would get the same name: {'; '.join(doubled[:_SHOWN])}; "
            "predict them one by one, into folders of their own"
        )
    return frames


def claim(
    output: Path, frames: Sequence[Frame], made_by: Mapping[str, Any], *, force: bool
) -> None:
    """Note in a folder what its predictions are made by, before the first is written.

    Args:
        output: the folder; need not be there.
        frames: to be predicted into it.
        made_by: the weights and how the network is asked, as plain values.
        force: what lies there may be replaced.

    Raises:
        InputError: without `force`: predictions of something else lie there, or files that no
            note tells of.
    """
    note, text = output / NOTE, json.dumps(made_by, indent=1, sort_keys=True) + "\n"
    if note.is_file() and note.read_text(encoding="utf-8") == text:
        return
    there = [path for frame in frames for path in frame.targets(output).values() if path.exists()]
    if not force and note.exists():
        raise InputError(
            f"{output}: holds predictions of other weights or settings, see {NOTE}; "
            "name another folder, or replace them with --force"
        )
    if not force and there:
        raise InputError(
            f"{output}: {len(there)} files would be replaced, the first is {there[0]}; "
            "name another folder, or replace them with --force"
        )
    made_folder(output)
    for path in there:  # older than any picture they stay until they are replaced
        os.utime(path, ns=(0, 0))
    write_text(note, text)


@dataclass(frozen=True)
class Predicted(Shown):
    """What a run of predictions left behind.

    Attributes:
        output: the folder.
        written: names of the pictures that were predicted.
        kept: names of those that were there.
    """

    output: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "folder": str(self.output),
            "kinds": list(KINDS),
            "written": list(self.written),
            "kept": list(self.kept),
        }

    def __rich__(self) -> str:
        """One line."""
        kept = f", {len(self.kept)} were there" if self.kept else ""
        kinds = ", ".join(KINDS)
        return f"{self.output}: {len(self.written)} pictures predicted{kept}; folders {kinds}"


def predict_frames(
    network: Callable[[Image.Image], TrainIds],
    frames: Sequence[Frame],
    output: Path,
    *,
    advance: Callable[[str], None] = lambda _: None,
) -> Predicted:
    """Predict every picture that is not done yet; each file appears whole or not at all.

    Args:
        network: gives the (H, W) train ids of an RGB picture.
        frames: from `find_frames`.
        output: a folder that `claim` was called for.
        advance: told each name.

    Raises:
        InputError: pictures are unreadable (the others were predicted), or the disk refuses.
    """
    written, kept, problems = [], [], []
    for frame in frames:
        advance(frame.source.name)
        if frame.done(output):
            kept.append(str(frame.name))
            continue
        try:
            image = read_image(frame.source, upright=True)
        except (OSError, ValueError, SyntaxError) as error:
            problems.append(f"{frame.source}: unreadable picture ({error})")
            continue
        _write(image, network(image), frame.targets(output))
        written.append(str(frame.name))
    if problems:
        head = f"{len(problems)} of {len(frames)} pictures could not be predicted"
        raise InputError(*indented([head, *problems]))
    return Predicted(output, tuple(written), tuple(kept))


def _write(image: Image.Image, train_ids: TrainIds, targets: Mapping[str, Path]) -> None:
    for kind, path in targets.items():
        made_folder(path.parent)
        with temporary_beside(path) as temporary:
            KINDS[kind](image, train_ids).save(temporary, format="png")
            temporary.replace(path)
