"""Samples depend on (seed, epoch, index) alone, and labels follow their pixels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stdc_port.training.augmentation import IMAGENET, Augmentation, sample_rng
from stdc_port.training.batches import BatchPlan, TrainingSet
from stdc_port.training.cityscapes import Pair, find_pairs
from stdc_port.training.decoded import PairReader

PLAIN = {"jitter": (0.0, 0.0, 0.0), "flip": 0.0}


@given(
    width=st.integers(1, 80),
    height=st.integers(1, 80),
    scale=st.sampled_from([0.125, 0.5, 1.0, 1.5]),
    seed=st.integers(0, 2**31),
)
def test_the_crop_has_its_size_whatever_the_picture(
    width: int, height: int, scale: float, seed: int
) -> None:
    augmentation = Augmentation((32, 16), (scale,), (0.5, 0.5, 0.5), 0.5)
    image = Image.new("RGB", (width, height))
    labels = np.zeros((height, width), np.uint8)
    result, cropped = augmentation.apply(image, labels, sample_rng(seed, 0, 0))
    assert result.size == (32, 16)
    assert cropped.shape == (16, 32)


@given(seed=st.integers(0, 2**31))
def test_labels_follow_their_pixels(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 19, (24, 40)).astype(np.uint8)
    image = Image.fromarray(np.repeat(labels[..., None] * 13, 3, axis=2))
    augmentation = Augmentation((20, 10), (1.0,), (0.0, 0.0, 0.0), 0.5)
    result, cropped = augmentation.apply(image, labels, sample_rng(seed, 1, 2))
    assert np.array_equal(np.asarray(result)[..., 0], cropped * 13)


def test_scaled_labels_are_nearest_and_invent_nothing() -> None:
    labels = np.where(np.arange(64)[None] < 32, 3, 255).repeat(32, 0).astype(np.uint8)
    augmentation = Augmentation((48, 24), (1.5,), **PLAIN)
    _, cropped = augmentation.apply(
        Image.fromarray(labels).convert("RGB"), labels, sample_rng(0, 0, 0)
    )
    assert set(np.unique(cropped)) <= {3, 255}


def test_normalisation_is_imagenets() -> None:
    white = IMAGENET.apply(Image.new("RGB", (2, 2), "white"))
    assert white.dtype == np.float32
    assert white[:, 0, 0].tolist() == pytest.approx([2.2489, 2.4286, 2.6400], abs=1e-4)


def test_normalisation_has_the_bits_of_float32_arithmetic() -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (16, 24, 3)).astype(np.uint8)
    mean, std = np.array(IMAGENET.mean, np.float32), np.array(IMAGENET.std, np.float32)
    wanted = (pixels.astype(np.float32) / np.float32(255) - mean) / std
    found = IMAGENET.apply(Image.fromarray(pixels))
    assert found.tobytes() == wanted.transpose(2, 0, 1).tobytes()


def _training_set(root: Path, *, seed: int = 3) -> TrainingSet:
    pairs = find_pairs(root, "train")
    return TrainingSet(
        pairs=pairs,
        plan=BatchPlan(samples=len(pairs), batch_size=2, seed=seed),
        augmentation=Augmentation((32, 32), (0.5, 1.0, 1.5), (0.5, 0.5, 0.5), 0.5),
        normalisation=IMAGENET,
    )


def test_batches_do_not_depend_on_threads_or_on_where_one_starts(scenes: Path) -> None:
    one = list(_training_set(scenes).batches(0, 6, threads=1))
    four = list(_training_set(scenes).batches(3, 6, threads=4))
    for first, second in zip(one[3:], four, strict=True):
        assert np.array_equal(first.images, second.images)
        assert np.array_equal(first.labels, second.labels)


@dataclass(frozen=True)
class Together(PairReader):
    """Reads a pair once several threads are at it at the same time."""

    threads: Barrier = field(default_factory=lambda: Barrier(4))

    def read(self, pair: Pair) -> Any:
        self.threads.wait(timeout=30)
        return super().read(pair)


def test_all_threads_are_at_work_however_small_a_batch(scenes: Path) -> None:
    """Also once torch has computed in this process, after which a forked worker would hang."""
    torch.ones(64, 64).mm(torch.ones(64, 64))
    loaded = replace(_training_set(scenes), reader=Together())
    wanted = _training_set(scenes).batches(0, 6, threads=1)
    for batch, other in zip(loaded.batches(0, 6, threads=4), wanted, strict=True):
        assert np.array_equal(batch.images, other.images)


class Failing(PairReader):
    def read(self, pair: Pair) -> Any:
        raise OSError(f"{pair.name} is gone")


def test_a_picture_that_cannot_be_read_ends_the_batches(scenes: Path) -> None:
    loaded = replace(_training_set(scenes), reader=Failing())
    with pytest.raises(OSError, match="is gone"):
        next(loaded.batches(0, 6, threads=2))


def test_another_seed_and_another_epoch_differ(scenes: Path) -> None:
    batch = _training_set(scenes).batch(0)
    assert not np.array_equal(batch.images, _training_set(scenes, seed=4).batch(0).images)
    assert not np.array_equal(batch.images, _training_set(scenes).batch(2).images)


@given(samples=st.integers(2, 50), batch_size=st.integers(2, 8), seed=st.integers(0, 99))
def test_an_epoch_takes_each_sample_at_most_once(samples: int, batch_size: int, seed: int) -> None:
    batch_size = min(batch_size, samples)
    plan = BatchPlan(samples=samples, batch_size=batch_size, seed=seed)
    epoch = [s for i in range(samples // batch_size) for s in plan.samples_of(i)]
    assert {e for e, _ in epoch} == {0}
    assert len({index for _, index in epoch}) == len(epoch) > samples - batch_size


def test_a_set_smaller_than_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="a batch of 4"):
        BatchPlan(samples=3, batch_size=4, seed=0)
