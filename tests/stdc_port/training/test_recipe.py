"""Recipes: what does not fit is refused, with the nearest valid name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from converters.errors import InputError
from stdc_port.training.recipe import load_recipe, recipe_from, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads_and_survives_its_own_json(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe_from(recipe.to_json(), source="json") == recipe


def test_the_published_figures() -> None:
    authors, batch36 = load_recipe("stdc2_seg75"), load_recipe("stdc2_seg50_batch36")
    assert (authors.model, authors.train.iterations, authors.train.batch_size) == (
        "stdc2",
        60_000,
        48,
    )
    assert authors.data.scales == tuple(step / 8 for step in range(1, 13))
    assert authors.data.crop == (1024, 512)
    assert authors.evaluation.scale == 0.75
    assert authors.rate.warmup == "exponential"
    assert not authors.optimizer.train_backbone_norms
    assert (batch36.train.iterations, batch36.rate.warmup, batch36.rate.end) == (
        80_000,
        "linear",
        1e-5,
    )


def test_overrides() -> None:
    recipe = load_recipe("generated", ["train.batch_size=8", "rate.warmup=linear", "rate.base=1"])
    assert (recipe.train.batch_size, recipe.rate.warmup, recipe.rate.base) == (8, "linear", 1.0)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("train.batchsize=8", "train.batchsize: unknown key, did you mean 'batch_size'?"),
        ("optimiser.momentum=0.9", "did you mean 'optimizer'?"),
        ("train.batch_size=1", "greater than or equal to 2"),
        ("train.batch_size='8'", "valid integer"),
        ("train.seed=true", "valid integer"),
        ("rate.base='fast'", "valid number"),
        ("rate.warmup=expo", "'exponential'"),
        ("rate.warmup_iterations=100000", "must be below iterations"),
        ("data.crop=[4.5, 4]", "data.crop.0"),
        ("optimizer.train_backbone_norms=1", "valid boolean"),
        ("model=stdc3", "'stdc1' or 'stdc2'"),
        ("train", "expected section.key=value"),
        ("name.x=1", "no section"),
    ],
)
def test_refusals(override: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        load_recipe("generated", [override])
    assert told in str(error.value)


def test_all_problems_at_once() -> None:
    with pytest.raises(InputError) as error:
        load_recipe("generated", ["train.batch_size=1", "rate.base=-1", "data.crops=3"])
    for key in ("train.batch_size", "rate.base", "data.crops"):
        assert key in str(error.value)


def test_names_and_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'generated'"):
        load_recipe("generatd")
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(str(tmp_path / "none.toml"))
    path = tmp_path / "bad.toml"
    path.write_text("name = ")
    with pytest.raises(InputError, match=r"bad\.toml"):
        load_recipe(str(path))


def test_files_that_are_nested_without_end_or_waited_for(tmp_path: Path) -> None:
    (tmp_path / "deep.toml").write_text("a = " + "[" * 20_000)
    (tmp_path / "deep.json").write_text("[" * 200_000)
    os.mkfifo(tmp_path / "pipe.toml")
    for name in ("deep.toml", "deep.json", "pipe.toml"):
        with pytest.raises(InputError, match=f"{name}.*(without end|recursion|no regular file)"):
            load_recipe(str(tmp_path / name))
