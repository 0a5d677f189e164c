"""The Cityscapes label table: 34 ids, 19 of them trained, with names and colours.

Source: the public label definitions of the Cityscapes data set (its paper, arXiv 1604.01685, and
the `labels.py` of its scripts). Licence plates (id -1) do not occur in `labelIds` pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IGNORE = 255
"""Train id of pixels that no loss and no figure counts."""


@dataclass(frozen=True)
class Label:
    """One row of the table: id in the `labelIds` pictures, id in training, colour in pictures."""

    name: str
    id: int
    train_id: int
    colour: tuple[int, int, int]


LABELS: tuple[Label, ...] = (
    Label("unlabeled", 0, 255, (0, 0, 0)),
    Label("ego vehicle", 1, 255, (0, 0, 0)),
    Label("rectification border", 2, 255, (0, 0, 0)),
    Label("out of roi", 3, 255, (0, 0, 0)),
    Label("static", 4, 255, (0, 0, 0)),
    Label("dynamic", 5, 255, (111, 74, 0)),
    Label("ground", 6, 255, (81, 0, 81)),
    Label("road", 7, 0, (128, 64, 128)),
    Label("sidewalk", 8, 1, (244, 35, 232)),
    Label("parking", 9, 255, (250, 170, 160)),
    Label("rail track", 10, 255, (230, 150, 140)),
    Label("building", 11, 2, (70, 70, 70)),
    Label("wall", 12, 3, (102, 102, 156)),
    Label("fence", 13, 4, (190, 153, 153)),
    Label("guard rail", 14, 255, (180, 165, 180)),
    Label("bridge", 15, 255, (150, 100, 100)),
    Label("tunnel", 16, 255, (150, 120, 90)),
    Label("pole", 17, 5, (153, 153, 153)),
    Label("polegroup", 18, 255, (153, 153, 153)),
    Label("traffic light", 19, 6, (250, 170, 30)),
    Label("traffic sign", 20, 7, (220, 220, 0)),
    Label("vegetation", 21, 8, (107, 142, 35)),
    Label("terrain", 22, 9, (152, 251, 152)),
    Label("sky", 23, 10, (70, 130, 180)),
    Label("person", 24, 11, (220, 20, 60)),
    Label("rider", 25, 12, (255, 0, 0)),
    Label("car", 26, 13, (0, 0, 142)),
    Label("truck", 27, 14, (0, 0, 70)),
    Label("bus", 28, 15, (0, 60, 100)),
    Label("caravan", 29, 255, (0, 0, 90)),
    Label("trailer", 30, 255, (0, 0, 110)),
    Label("train", 31, 16, (0, 80, 100)),
    Label("motorcycle", 32, 17, (0, 0, 230)),
    Label("bicycle", 33, 18, (119, 11, 32)),
)

TRAINED: tuple[Label, ...] = tuple(
    sorted((row for row in LABELS if row.train_id != IGNORE), key=lambda row: row.train_id)
)
"""The trained classes in the order of their train ids."""

CLASS_NAMES: tuple[str, ...] = tuple(row.name for row in TRAINED)
NUM_CLASSES = len(TRAINED)
ID_OF_NAME: dict[str, int] = {row.name: row.id for row in LABELS}

UNKNOWN = 254
"""Marks, in `TRAIN_ID_OF_ID`, a value that the table does not know."""


def _lookup() -> NDArray[np.uint8]:
    table = np.full(256, UNKNOWN, np.uint8)
    for row in LABELS:
        table[row.id] = row.train_id
    return table


TRAIN_ID_OF_ID: NDArray[np.uint8] = _lookup()
"""(256,) label id to train id; UNKNOWN where the table has no row."""

ID_OF_TRAIN_ID: NDArray[np.uint8] = np.array([row.id for row in TRAINED], np.uint8)
"""(19,) train id to label id, for the evaluation server."""

COLOUR_OF_TRAIN_ID: NDArray[np.uint8] = np.array([row.colour for row in TRAINED], np.uint8)
"""(19, 3) RGB."""


def unknown_ids(values: NDArray[np.uint8], *, train_ids: bool) -> list[int]:
    """Label values that stand for nothing, sorted.

    Args:
        values: a label picture of any shape.
        train_ids: whether it holds train ids (0-18, 255) rather than label ids (0-33).
    """
    present = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
    if train_ids:
        known = (present < NUM_CLASSES) | (present == IGNORE)
    else:
        known = TRAIN_ID_OF_ID[present] != UNKNOWN
    return [int(value) for value in present[~known]]
