"""The authors' way with a training picture, written plainly: the whole of it, then the crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from stdc_port.training.augmentation import Augmentation, Normalisation, sample_rng
from stdc_port.training.batches import Batch, BatchPlan
from stdc_port.training.cityscapes import Pair
from stdc_port.training.labels import LABELS


@dataclass(frozen=True)
class PlainLoader:
    """Batches with the very samples that ours have."""

    pairs: Sequence[Pair]
    plan: BatchPlan
    augmentation: Augmentation
    normalisation: Normalisation

    def batch(self, iteration: int) -> Batch:
        """The batch of an iteration."""
        samples = [self._sample(*sample) for sample in self.plan.samples_of(iteration)]
        images, labels = zip(*samples, strict=True)
        return Batch(np.stack(images), np.stack(labels))

    def _sample(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        pair = self.pairs[index]
        image, mask = Image.open(pair.image).convert("RGB"), Image.open(pair.labels)
        drawn = self.augmentation.draw(image.size, sample_rng(self.plan.seed, epoch, index))
        image = ImageEnhance.Brightness(image).enhance(drawn.brightness)
        image = ImageEnhance.Contrast(image).enhance(drawn.contrast)
        image = ImageEnhance.Color(image).enhance(drawn.saturation)
        if drawn.mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            mask = mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image = image.resize(drawn.size, Image.Resampling.BILINEAR).crop(drawn.box)
        mask = mask.resize(drawn.size, Image.Resampling.NEAREST).crop(drawn.box)
        labels = np.array(mask).astype(np.int64)
        found = labels.copy()
        for row in LABELS:  # the authors go through the table, not through the picture
            labels[found == row.id] = row.train_id
        colours = np.asarray(image, np.float32) / np.float32(255)
        mean, std = (
            np.array(v, np.float32) for v in (self.normalisation.mean, self.normalisation.std)
        )
        return np.ascontiguousarray(((colours - mean) / std).transpose(2, 0, 1)), labels
