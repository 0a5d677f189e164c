"""A tiny generated set and small recipes, made once a module."""

from __future__ import annotations

from pathlib import Path

import pytest

from stdc_port.training.recipe import Recipe, load_recipe
from stdc_port.training.scenes import SceneSet, write_scenes

SMALL = SceneSet(train=4, val=2, width=96, height=64, seed=5)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "scenes"
    write_scenes(folder, SMALL)
    return folder


@pytest.fixture(scope="module")
def small_recipe() -> Recipe:
    return load_recipe(
        "generated",
        [
            "data.crop=[64, 64]",
            "train.iterations=4",
            "train.batch_size=2",
            "train.checkpoint_every=2",
            "rate.warmup_iterations=1",
        ],
    )
