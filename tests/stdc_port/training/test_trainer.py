"""Training: resumed as if never stopped, stopped before damage, statistics as torch keeps them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch

from converters import InputError, RefusedError
from stdc_port.training.cityscapes import find_pairs
from stdc_port.training.evaluate import evaluate
from stdc_port.training.inference import load_network
from stdc_port.training.recipe import Recipe
from stdc_port.training.state import load_state, network_arrays, write_whole
from stdc_port.training.trainer import CHECKPOINT, LOG, NotFiniteError, Trainer
from stdc_port.training.variance import use_unbiased_variance


def _ignore(_: str) -> None:
    pass


class StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def whole(scenes: Path, small_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    Trainer(small_recipe, folder, None).train(find_pairs(scenes, "train"), _ignore)
    return folder


def test_resumed_it_ends_bit_identical(
    whole: Path, scenes: Path, small_recipe: Recipe, tmp_path: Path
) -> None:
    pairs, cut = find_pairs(scenes, "train"), tmp_path / "cut"
    told: list[str] = []

    def stop(line: str) -> None:
        told.append(line)
        if len(told) == 3:  # one iteration after the checkpoint
            raise StoppedError

    with pytest.raises(StoppedError):
        Trainer(small_recipe, cut, None).train(pairs, stop)
    trainer = Trainer(small_recipe, cut, None)
    trainer.resume()
    assert trainer.iteration == 2
    trainer.train(pairs, _ignore)
    first, second = load_state(whole / CHECKPOINT), load_state(cut / CHECKPOINT)
    for part in ("network", "loss", "velocity"):
        one, other = getattr(first, part), getattr(second, part)
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[key], other[key]) for key in one), part
    assert len(first.velocity) > 50
    steps = [json.loads(line)["iteration"] for line in (cut / LOG).read_text().splitlines()]
    assert steps == [0, 1, 2, 3]


def test_weights_load_and_evaluate(
    whole: Path, scenes: Path, small_recipe: Recipe, tmp_path: Path
) -> None:
    network = load_network(whole / "model.pdparams", "stdc1")
    pairs = find_pairs(scenes, "val")
    normalisation = small_recipe.data.normalisation()
    result = evaluate(network, pairs, scale=0.5, normalisation=normalisation)
    assert result.images == 2
    assert 0 <= result.miou <= 1
    with pytest.raises(RefusedError, match="no stdc2-seg"):
        load_network(whole / "model.pdparams", "stdc2")


def test_another_recipe_is_not_resumed(whole: Path, small_recipe: Recipe) -> None:
    other = replace(small_recipe, rate=replace(small_recipe.rate, base=0.5))
    with pytest.raises(InputError, match="another recipe"):
        Trainer(other, whole, None).resume()


def test_nothing_to_resume_from(small_recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without --resume"):
        Trainer(small_recipe, tmp_path, None).resume()
    (tmp_path / CHECKPOINT).write_bytes(b"\x80\x04damaged")
    with pytest.raises(InputError, match="damaged"):
        Trainer(small_recipe, tmp_path, None).resume()


def test_a_loss_that_is_not_finite_stops_before_the_step(
    scenes: Path, small_recipe: Recipe, tmp_path: Path
) -> None:
    trainer = Trainer(small_recipe, tmp_path, None)
    trainer.network.conv_out.conv_out.weight.set_value(
        paddle.full_like(trainer.network.conv_out.conv_out.weight, np.nan)
    )
    before = trainer.network.cp.backbone.features[0].conv.weight.numpy().copy()
    with pytest.raises(NotFiniteError, match="iteration 0"):
        trainer.train(find_pairs(scenes, "train"), _ignore)
    assert np.array_equal(trainer.network.cp.backbone.features[0].conv.weight.numpy(), before)


def test_a_set_smaller_than_a_batch_is_told(
    scenes: Path, small_recipe: Recipe, tmp_path: Path
) -> None:
    recipe = replace(small_recipe, train=replace(small_recipe.train, batch_size=9))
    with pytest.raises(InputError, match=r"train\.batch_size"):
        Trainer(recipe, tmp_path, None).train(find_pairs(scenes, "train"), _ignore)


def test_untrained_parameters_stay(whole: Path, small_recipe: Recipe, tmp_path: Path) -> None:
    fresh = network_arrays(Trainer(small_recipe, tmp_path, None).network)
    trained = load_state(whole / CHECKPOINT).network
    key = "cp.backbone.conv_last.conv.weight"
    assert np.array_equal(trained[key], fresh[key])
    key = "cp.backbone.features.0.conv.weight"
    assert not np.array_equal(trained[key], fresh[key])


def test_a_file_that_reads_back_differently_keeps_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(InputError, match="reads back differently"):
        write_whole(path, lambda t: t.write_text("new") and None, lambda _: False)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("unbiased", [True, False])
def test_running_variance_is_torchs(unbiased: bool) -> None:
    theirs, ours = torch.nn.BatchNorm2d(3), paddle.nn.Sequential(paddle.nn.BatchNorm2D(3))
    if unbiased:
        assert use_unbiased_variance(ours) == 1
    for step in range(3):
        x = np.random.default_rng(step).normal(2, 3, (4, 3, 1, 1)).astype(np.float32)
        theirs(torch.from_numpy(x))
        ours(paddle.to_tensor(x))
    wanted, found = theirs.running_var.numpy(), ours[0]._variance.numpy()
    assert np.allclose(found, wanted, rtol=1e-5) == unbiased
    ours.eval()
    ours(paddle.ones([4, 3, 1, 1]))
    assert np.array_equal(ours[0]._variance.numpy(), found)
