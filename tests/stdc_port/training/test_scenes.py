"""Generated scenes: the same by seed, many classes, whole sets only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stdc_port.training.labels import CLASS_NAMES, TRAIN_ID_OF_ID, UNKNOWN
from stdc_port.training.scenes import SceneSet, draw_scene, write_scenes, writing

SMALL = SceneSet(train=4, val=2, width=96, height=64, seed=5)


def test_a_scene_depends_on_its_seed_alone() -> None:
    first, again = (draw_scene(96, 64, seed=3, index=1) for _ in range(2))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.label_ids, again.label_ids)
    for other in (draw_scene(96, 64, seed=4, index=1), draw_scene(96, 64, seed=3, index=2)):
        assert not np.array_equal(first.label_ids, other.label_ids)


def test_scenes_hold_many_classes_and_known_ids_only() -> None:
    counts = np.zeros(256, np.int64)
    for index in range(12):
        scene = draw_scene(128, 64, seed=0, index=index)
        assert scene.image.shape == (64, 128, 3)
        assert scene.label_ids.shape == (64, 128)
        counts += np.bincount(TRAIN_ID_OF_ID[scene.label_ids].ravel(), minlength=256)
    present = {name for name, count in zip(CLASS_NAMES, counts, strict=False) if count}
    assert len(present) >= 14
    assert {"road", "building", "sky", "car", "person", "rider", "bicycle"} <= present
    assert counts[255] > 0
    assert counts[UNKNOWN] == 0


def test_colour_alone_does_not_tell_the_class() -> None:
    """The nearest class mean of the colours is right for few pixels."""
    scenes = [draw_scene(128, 64, seed=0, index=index) for index in range(16)]
    colours = np.concatenate([scene.image.reshape(-1, 3) for scene in scenes]).astype(float)
    labels = np.concatenate([TRAIN_ID_OF_ID[scene.label_ids].ravel() for scene in scenes])
    classes = np.unique(labels[labels < 19])
    means = np.stack([colours[labels == train_id].mean(0) for train_id in classes])
    nearest = classes[((colours[:, None] - means) ** 2).sum(-1).argmin(1)]
    assert (nearest == labels)[labels < 19].mean() < 0.5


def test_the_set_is_laid_out_as_cityscapes(scenes: Path) -> None:
    images = sorted(scenes.glob("leftImg8bit/*/*/*_leftImg8bit.png"))
    assert len(images) == SMALL.train + SMALL.val
    for image in images:
        city = image.parent.name
        assert image.name.startswith(f"{city}_")
        name = image.name.replace("leftImg8bit", "gtFine_labelIds")
        labels = scenes / "gtFine" / image.parts[-3] / city / name
        for path in (labels, image):
            with Image.open(path) as picture:
                assert picture.size == (96, 64)


def test_a_finished_set_is_kept_and_another_one_replaces_it(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    small = SceneSet(train=1, val=1, width=64, height=32)
    assert write_scenes(folder, small)
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    assert not write_scenes(folder, small)
    assert write_scenes(folder, SceneSet(train=1, val=1, width=64, height=32, seed=1))
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} != before


def test_a_stopped_generation_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "_write_scene", stop)
    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path / "set", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_never_replaces_what_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="no generated set"):
        write_scenes(tmp_path, SMALL)
    assert (tmp_path / "thesis.tex").exists()


def test_what_a_killed_generation_left_is_removed_by_the_next(tmp_path: Path) -> None:
    abandoned = tmp_path / ".set.01234567.part"
    (abandoned / "new").mkdir(parents=True)
    write_scenes(tmp_path / "set", SceneSet(train=1, val=1, width=64, height=32))
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
