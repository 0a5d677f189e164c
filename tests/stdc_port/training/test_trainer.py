"""Training: resumed as if never stopped, stopped before damage, statistics as torch keeps them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
import torch

from converters import InputError, RefusedError
from stdc_port.training import stops
from stdc_port.training.checkpoints import Checkpoints
from stdc_port.training.cityscapes import find_pairs
from stdc_port.training.evaluate import evaluate
from stdc_port.training.inference import load_network
from stdc_port.training.jobs import _introduce, shown_plainly
from stdc_port.training.metrics import Evaluation
from stdc_port.training.nonfinite import NotFiniteError
from stdc_port.training.recipe import Recipe
from stdc_port.training.runlog import LOG
from stdc_port.training.state import TrainingState, load_state, network_arrays, write_whole
from stdc_port.training.trainer import Trainer
from stdc_port.training.variance import use_unbiased_variance


def _ignore(_: object) -> None:
    pass


def _newest(folder: Path) -> TrainingState:
    state = Checkpoints(folder).newest().state
    assert state is not None
    return state


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
    told: list[object] = []

    def stop(step: object) -> None:
        told.append(step)
        if len(told) == 3:  # one iteration after the checkpoint
            raise StoppedError

    with pytest.raises(StoppedError):
        Trainer(small_recipe, cut, None).train(pairs, stop)
    trainer = Trainer(small_recipe, cut, None)
    trainer.resume()
    assert trainer.iteration == 2
    trainer.train(pairs, _ignore)
    first, second = _newest(whole), _newest(cut)
    assert first.random == second.random
    for part in ("network", "loss", "velocity"):
        one, other = getattr(first, part), getattr(second, part)
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[key], other[key]) for key in one), part
    assert len(first.velocity) > 50
    steps = [json.loads(line)["iteration"] for line in (cut / LOG).read_text().splitlines()]
    assert steps == [0, 1, 2, 3]


def test_stopped_in_an_evaluation_it_evaluates_and_goes_on(
    scenes: Path, small_recipe: Recipe, tmp_path: Path
) -> None:
    """The state is saved again before any step of the optimizer: momentum is kept all the same."""
    pairs = find_pairs(scenes, "train")
    recipe = replace(small_recipe, train=replace(small_recipe.train, iterations=2, keep=3))
    recipe = replace(recipe, train=replace(recipe.train, evaluate_every=1))

    def stop(_: object, between: Callable[[], None]) -> Evaluation:
        os.kill(os.getpid(), signal.SIGTERM)
        between()
        raise AssertionError

    with pytest.raises(stops.StoppedError):
        Trainer(recipe, tmp_path, None).train(pairs, _ignore, stop)
    before = _newest(tmp_path)
    assert (before.iteration, before.evaluated) == (1, 0)
    trainer = Trainer(recipe, tmp_path, None)
    trainer.resume()
    found = Evaluation(np.eye(19, dtype=np.int64), 1, (1.0,))
    trainer.train(pairs, _ignore, lambda *_: found)
    again = load_state(Checkpoints(tmp_path).path_of(1))
    assert (again.iteration, again.evaluated) == (1, 1)
    assert again.velocity.keys() == before.velocity.keys()
    assert all(np.array_equal(again.velocity[key], before.velocity[key]) for key in again.velocity)


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
    with pytest.raises(InputError, match=r"another recipe.*\n.*rate\.base: was 0\.004, now 0\.5"):
        Trainer(other, whole, None).resume()


def test_what_changes_no_result_may_change(
    whole: Path, scenes: Path, small_recipe: Recipe, tmp_path: Path
) -> None:
    data = replace(small_recipe.data, threads=1, decoded=str(tmp_path))
    train = replace(small_recipe.train, keep=5, checkpoint_every=1)
    trainer = Trainer(replace(small_recipe, data=data, train=train), whole, None)
    assert "resumed from" in trainer.resume()
    assert trainer.iteration == 4
    with pytest.raises(InputError, match="the training set is another one"):
        trainer.train(find_pairs(scenes, "val"), _ignore)


def test_nothing_to_resume_from(small_recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without --resume"):
        Trainer(small_recipe, tmp_path, None).resume()
    assert "fresh start" in Trainer(small_recipe, tmp_path, None).resume(required=False)
    path = Checkpoints(tmp_path).path_of(2)
    path.parent.mkdir()
    path.write_bytes(b"\x80\x04damaged")
    with pytest.raises(InputError, match=r"passed over: .*000000002"):
        Trainer(small_recipe, tmp_path, None).resume()


def test_a_loss_that_is_not_finite_stops_before_the_step(
    scenes: Path, small_recipe: Recipe, tmp_path: Path
) -> None:
    trainer = Trainer(small_recipe, tmp_path, None)
    trainer.learner.network.conv_out.conv_out.weight.set_value(
        paddle.full_like(trainer.learner.network.conv_out.conv_out.weight, np.nan)
    )
    before = trainer.learner.network.cp.backbone.features[0].conv.weight.numpy().copy()
    pairs = find_pairs(scenes, "train")
    told = r"iteration 0: .*first layer that made it is conv_out\.conv_out \(Conv2D\), whose weight"
    with pytest.raises(NotFiniteError, match=told):
        trainer.train(pairs, _ignore)
    with np.load(tmp_path / "nonfinite-000000000.npz") as kept:
        assert kept["images"].shape == (2, 3, 64, 64)
        assert set(kept["names"]) < {pair.name for pair in pairs}
    assert (tmp_path / "nonfinite-000000000.pdparams").is_file()
    assert not Checkpoints(tmp_path).paths()
    assert np.array_equal(
        trainer.learner.network.cp.backbone.features[0].conv.weight.numpy(), before
    )


def test_a_set_smaller_than_a_batch_is_told(
    scenes: Path, small_recipe: Recipe, tmp_path: Path
) -> None:
    recipe = replace(small_recipe, train=replace(small_recipe.train, batch_size=9))
    with pytest.raises(InputError, match=r"train\.batch_size"):
        Trainer(recipe, tmp_path, None).train(find_pairs(scenes, "train"), _ignore)


def test_untrained_parameters_stay(whole: Path, small_recipe: Recipe, tmp_path: Path) -> None:
    fresh = network_arrays(Trainer(small_recipe, tmp_path, None).learner.network)
    trained = _newest(whole).network
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


def test_keys_are_no_markup_for_a_training(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets that close nothing would be an error of rich's, and others would vanish."""
    trainer = SimpleNamespace(
        initialisation=SimpleNamespace(
            summary=lambda: "from a[/].pth",
            dropped=(SimpleNamespace(key="[/][red]\x1b[31ma.weight", reason="not [b]used[/b]"),),
        ),
        groups=(),
    )
    _introduce(trainer, shown_plainly(quiet=False))  # type: ignore[arg-type]
    told = capsys.readouterr().err
    assert "from a[/].pth" in told
    assert r"[/][red]\x1b[31ma.(weight): not [b]used[/b]" in told
