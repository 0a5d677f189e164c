"""Pictures decoded once: later epochs map the pixels instead of reading a PNG again.

Reading PNGs is two thirds of what a training picture costs. Cityscapes' training set takes 25 GB
decoded.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from converters.errors import InputError
from converters.files import cleanup, made_and_locked, made_folder, remove_unheld
from converters.pictures import opened
from stdc_port.training.cityscapes import Pair, read_image, read_label_values

Bytes = NDArray[np.uint8]
# Of a picture's pixels, three are colours and one is the label.
BYTES_A_PIXEL = 4


@dataclass(frozen=True)
class PairReader:
    """Reads pictures and their label values.

    Attributes:
        folder: where they are kept decoded, None to decode them each time.
    """

    folder: Path | None = None

    def read(self, pair: Pair) -> tuple[Image.Image, Bytes]:
        """Return an RGB picture and the (H, W) values of its label picture.

        Raises:
            OSError: a file is unreadable, or the folder cannot be written.
            ValueError: the labels are no picture of one 8-bit value a pixel.
        """
        if self.folder is None:
            return read_image(pair.image), read_label_values(pair.labels)
        image = self._kept(pair.image, lambda path: np.asarray(read_image(path)))
        return Image.fromarray(image), self._kept(pair.labels, read_label_values)

    def require_room(self, pairs: Sequence[Pair]) -> None:
        """Refuse a disk that is too small for a set, before anything is decoded.

        What killed processes left of pictures is removed first.

        Args:
            pairs: of the set; all are taken to be as large as the first.

        Raises:
            InputError: saying what is needed and what is free.
        """
        if self.folder is None or not pairs:
            return
        made_folder(self.folder)  # its disk is asked
        remove_unheld(self.folder)
        with opened(pairs[0].image) as first:
            wanted = len(pairs) * first.width * first.height * BYTES_A_PIXEL
        there = sum(entry.stat().st_size for entry in self.folder.glob("*.npy"))
        free = shutil.disk_usage(self.folder).free
        if wanted - there > free:
            raise InputError(
                f"{self.folder}: {len(pairs)} decoded pictures take {wanted / 1e9:.1f} GB, "
                f"{free / 1e9:.1f} GB are free; name another data.decoded or leave it out"
            )

    def _kept(self, path: Path, decode: Callable[[Path], Bytes]) -> Bytes:
        assert self.folder is not None  # noqa: S101
        facts = path.stat()
        name = f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns}"
        place = self.folder / f"{sha256(os.fsencode(name)).hexdigest()[:32]}.npy"
        if not place.exists():
            made_folder(self.folder)
            with cleanup() as held:
                temporary = made_and_locked(place, held, folder=False)
                with temporary.open("wb") as file:
                    np.save(file, decode(path), allow_pickle=False)
                temporary.replace(place)
        return np.load(place, mmap_mode="r", allow_pickle=False)
