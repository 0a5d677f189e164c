"""Pictures kept decoded are the same pictures, and follow their files."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.errors import InputError
from stdc_port.training.augmentation import IMAGENET, Augmentation
from stdc_port.training.batches import BatchPlan, TrainingSet
from stdc_port.training.cityscapes import find_pairs
from stdc_port.training.decoded import PairReader

Usage = namedtuple("Usage", "total used free")


def training_set(root: Path) -> TrainingSet:
    pairs = find_pairs(root, "train")
    return TrainingSet(
        pairs=pairs,
        plan=BatchPlan(samples=len(pairs), batch_size=2, seed=3),
        augmentation=Augmentation((32, 32), (0.5, 1.0, 1.5), (0.5, 0.5, 0.5), 0.5),
        normalisation=IMAGENET,
    )


def test_batches_are_the_same_and_the_files_are_opened_once(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = training_set(scenes)
    kept = replace(plain, reader=PairReader(tmp_path))
    for _ in range(2):
        for iteration in range(4):
            wanted, found = plain.batch(iteration), kept.batch(iteration)
            assert np.array_equal(wanted.images, found.images)
            assert np.array_equal(wanted.labels, found.labels)
        monkeypatch.setattr("stdc_port.training.cityscapes.Image.open", None)
        plain = kept
    assert len(list(tmp_path.iterdir())) == 2 * len(plain.pairs)


def test_a_changed_file_is_decoded_again(scenes: Path, tmp_path: Path) -> None:
    pair = find_pairs(scenes, "train")[0]
    copy = replace(pair, image=tmp_path / "a.png")
    reader = PairReader(tmp_path / "decoded")
    Image.new("RGB", (8, 8), (1, 2, 3)).save(copy.image)
    assert reader.read(copy)[0].getpixel((0, 0)) == (1, 2, 3)
    Image.new("RGB", (9, 8), (4, 5, 6)).save(copy.image)
    assert reader.read(copy)[0].getpixel((0, 0)) == (4, 5, 6)


def test_a_disk_too_small_is_refused_before_anything_is_decoded(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = find_pairs(scenes, "train")
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(100, 100, 1000))
    with pytest.raises(InputError, match=r"GB are free; name another data\.decoded"):
        PairReader(tmp_path).require_room(pairs)
    PairReader().require_room(pairs)


def test_nothing_is_left_where_decoding_fails(scenes: Path, tmp_path: Path) -> None:
    broken = replace(find_pairs(scenes, "train")[0], image=tmp_path / "broken.png")
    broken.image.write_bytes(b"no picture")
    with pytest.raises(OSError, match="cannot identify"):
        PairReader(tmp_path / "decoded").read(broken)
    assert not list((tmp_path / "decoded").iterdir())


def test_what_a_killed_process_left_goes_with_the_next_run(scenes: Path, tmp_path: Path) -> None:
    abandoned = tmp_path / ".0123.npy.01234567.part"
    abandoned.write_bytes(b"half")
    PairReader(tmp_path).require_room(find_pairs(scenes, "train"))
    assert not abandoned.exists()
