"""Patches of generated scenes, each filled by one class: the demo's classification task.

It is no ImageNet: the patches come from scenes by the same generator as the segmentation set (from
other seeds), so what the demo shows is that converted weights carry what torch has learnt, not how
much ImageNet would help on Cityscapes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stdc_port.training.augmentation import IMAGENET, Floats
from stdc_port.training.labels import NUM_CLASSES, TRAIN_ID_OF_ID
from stdc_port.training.scenes import draw_scene

_CENTRES = 25
_SIDES = (64, 48, 32, 24, 16)
_SHARE = 0.4
_MARGIN = _SIDES[0] // 2


class PatchSource:
    """Draws balanced batches of patches from scenes held in memory."""

    def __init__(
        self,
        scenes: int,
        *,
        side: int,
        seed: int,
        advance: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Draw the scenes and note some windows of every class in each.

        Args:
            scenes: how many, of 256×128 pixels.
            side: of a patch, in pixels.
            seed: of scenes and patches.
            advance: called after every scene.
        """
        self._rng = np.random.default_rng([seed, 1])
        self._side = side
        self._pictures: list[NDArray[np.uint8]] = []
        found: list[list[tuple[int, int, int, int]]] = [[] for _ in range(NUM_CLASSES)]
        for index in range(scenes):
            scene = draw_scene(256, 128, seed=seed, index=index)
            edge = ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0))
            self._pictures.append(np.pad(scene.image, edge, mode="reflect"))
            train_ids = TRAIN_ID_OF_ID[scene.label_ids]
            for train_id in np.unique(train_ids[train_ids < NUM_CLASSES]):
                mask = train_ids == train_id
                found[train_id] += [(index, *window) for window in self._windows(mask)]
            advance("scene")
        self._patches = {i: np.array(windows) for i, windows in enumerate(found) if windows}

    def _windows(self, mask: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
        """Centre row, centre column and side: the widest window that the class fills enough."""
        places = np.argwhere(mask)
        padded = np.pad(mask, _MARGIN, mode="reflect")
        windows = []
        for row, column in self._rng.choice(places, min(_CENTRES, len(places)), replace=False):
            for side in _SIDES:
                top, left = row + _MARGIN - side // 2, column + _MARGIN - side // 2
                share = padded[top : top + side, left : left + side].mean()
                if share >= _SHARE or side == _SIDES[-1]:
                    windows.append((int(row), int(column), side))
                    break
        return windows

    def draw(self, size: int) -> tuple[Floats, NDArray[np.int64]]:
        """Patches (N, 3, side, side), normalised, and their train ids (N,)."""
        classes = self._rng.choice(list(self._patches), size)
        patches = np.stack([self._patch(int(train_id)) for train_id in classes])
        light = self._rng.uniform(0.7, 1.3, (size, 3, 1, 1)) * self._rng.uniform(
            0.9, 1.1, (size, 1, 1, 1)
        )
        values = np.clip(patches.transpose(0, 3, 1, 2) / 255 * light, 0, 1)
        mean, std = (np.reshape(c, (1, 3, 1, 1)) for c in (IMAGENET.mean, IMAGENET.std))
        return np.ascontiguousarray((values - mean) / std, np.float32), classes.astype(np.int64)

    def _patch(self, train_id: int) -> NDArray[np.uint8]:
        windows = self._patches[train_id]
        scene, row, column, side = windows[int(self._rng.integers(len(windows)))]
        top, left = row + _MARGIN - side // 2, column + _MARGIN - side // 2
        patch = self._pictures[scene][top : top + side, left : left + side]
        resized = Image.fromarray(patch).resize((self._side, self._side), Image.Resampling.BILINEAR)
        pixels = np.asarray(resized, np.uint8)
        return pixels[:, ::-1] if self._rng.random() < 0.5 else pixels
