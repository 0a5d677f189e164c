"""What costs weeks is told before the first step, or at the batch itself."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters import InputError
from stdc_port.training.batches import Batch
from stdc_port.training.checked import checked_pairs
from stdc_port.training.labels import NUM_CLASSES
from stdc_port.training.preflight import (
    SetFacts,
    batch_remarks,
    ohem_minimum,
    recipe_remarks,
    set_remarks,
)
from stdc_port.training.recipe import Recipe, load_recipe


def _batch(labels: np.ndarray) -> Batch:
    return Batch(np.zeros((len(labels), 3, 4, 4), np.float32), labels.astype(np.int64))


def test_the_published_recipes_need_no_remark() -> None:
    assert recipe_remarks(load_recipe("stdc1_seg50"), processes=3) == []
    assert recipe_remarks(load_recipe("stdc2_seg50_batch36")) == []


def test_another_batch_is_told_with_what_to_expect() -> None:
    recipe = load_recipe("stdc1_seg50", ["train.batch_size=12"])
    text, parts = recipe_remarks(recipe)
    for part in ("effective batch 12", "made for 48", "0.0025", "25%", "0.9 points"):
        assert part in text
    assert "see 12 pictures at a time" in parts


def test_other_devices_are_told() -> None:
    """The batch is the same, but OHEM and the backbone's BN see another share of it."""
    (text,) = recipe_remarks(load_recipe("stdc1_seg50"), processes=2)
    assert "see 24 pictures at a time" in text
    assert "has 16 (train.devices=3)" in text
    (text,) = recipe_remarks(load_recipe("stdc1_seg50"))
    assert "see 48 pictures" in text
    assert recipe_remarks(load_recipe("stdc1_seg50", ["train.accumulate=3"])) == []


def test_batches_that_processes_cannot_divide_are_refused() -> None:
    recipe = load_recipe("generated", ["train.batch_size=4"])
    with pytest.raises(InputError, match="fewer than 2 pictures to each of 3 processes"):
        recipe_remarks(recipe, processes=3)
    with pytest.raises(InputError, match=r"does not divide among 2.*sync_batch_norm='no'"):
        recipe_remarks(load_recipe("generated", ["train.batch_size=5"]), processes=2)
    uneven = ["train.batch_size=5", "train.sync_batch_norm=no"]
    assert recipe_remarks(load_recipe("generated", uneven), processes=2)


def test_a_small_batch_is_told() -> None:
    remarks = recipe_remarks(load_recipe("stdc1_seg50", ["train.accumulate=16"]))
    assert any("n_min 98304 pixels" in text for text in remarks)
    assert any("sees 3 values a channel" in text for text in remarks)


def test_too_few_pixels_for_ohem_are_refused() -> None:
    recipe = load_recipe("generated", ["data.crop=[3, 2]", "train.batch_size=2"])
    assert ohem_minimum(recipe) == 0
    with pytest.raises(InputError, match="OHEM"):
        recipe_remarks(recipe)


def test_absent_classes_and_empty_pictures_are_listed() -> None:
    pixels = np.ones(NUM_CLASSES, np.int64)
    assert set_remarks(SetFacts(pixels, ())) == []
    pixels[[3, 16]] = 0
    absent, empty = set_remarks(SetFacts(pixels, ("bonn_000001",)))
    assert absent.endswith("wall, train")
    assert "bonn_000001" in empty
    with pytest.raises(InputError, match="no pixel"):
        set_remarks(SetFacts(np.zeros(NUM_CLASSES, np.int64), ()))


def test_a_folder_is_looked_through(scenes: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(scenes, tmp_path / "copy"))
    ignored = sorted(root.glob("gtFine/train/*/*_labelIds.png"))[1]
    with Image.open(ignored) as image:
        Image.new("L", image.size, 3).save(ignored)
    told: list[str] = []
    train, _ = checked_pairs(root, ("train", "val"), quiet=True, tell=told.append)
    (text,) = [line for line in told if "no labelled pixel" in line]
    assert train[1].name in text


def test_an_unknown_label_is_named_with_its_picture() -> None:
    labels = np.zeros((2, 4, 4), np.int64)
    labels[1, 2, 3] = 19
    labels[1, 0, 0] = 254
    with pytest.raises(InputError, match=r"second: labels \[19, 254\]") as told:
        batch_remarks(_batch(labels), ["first", "second"], 2)
    assert "first" not in str(told.value)


def test_an_ignored_batch_is_told() -> None:
    labels = np.full((2, 4, 4), 255)
    (text,) = batch_remarks(_batch(labels), ["a", "b"], 2)
    assert "every pixel is ignored" in text
    assert "a, b" in text
    labels[0, 0, 0] = 3
    (text,) = batch_remarks(_batch(labels), ["a", "b"], 2)
    assert "1 labelled pixels are fewer than the 2" in text
    labels[:] = 3
    assert batch_remarks(_batch(labels), ["a", "b"], 2) == []


@pytest.mark.parametrize("accumulate", [3, 4])
def test_parts_of_a_batch_are_equal_and_no_single_pictures(accumulate: int) -> None:
    with pytest.raises(InputError, match="equal parts of at least 2"):
        load_recipe("generated", [f"train.accumulate={accumulate}"])


def test_remarks_follow_the_recipe(small_recipe: Recipe) -> None:
    larger = replace(small_recipe, data=replace(small_recipe.data, crop=(128, 64)))
    assert ohem_minimum(larger) == 2 * ohem_minimum(small_recipe) == 1024
