"""Two processes over gloo are one: gradients, losses, statistics, evaluation, what is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from hypothesis import given
from hypothesis import strategies as st
from several import ends, start

from converters import InputError
from stdc_port.paddle_nets import build
from stdc_port.paddle_nets.losses import SegmentationLoss
from stdc_port.spec import LossParts
from stdc_port.training.augmentation import IMAGENET
from stdc_port.training.batches import Batch, BatchPlan
from stdc_port.training.cityscapes import find_pairs
from stdc_port.training.evaluate import evaluate, evaluate_together
from stdc_port.training.group import Group
from stdc_port.training.metrics import Evaluation
from stdc_port.training.norms import synchronise, synchronised
from stdc_port.training.optimizer import build_optimizer
from stdc_port.training.parallel import (
    ALONE,
    ElsewhereError,
    Processes,
    portion,
    require_alone,
)
from stdc_port.training.recipe import Recipe, load_recipe
from stdc_port.training.state import Arrays, network_arrays
from stdc_port.training.step import Stepper
from stdc_port.training.variance import use_unbiased_variance

FROZEN, COMPLETE = "optimizer.freeze=norms", "optimizer.freeze=none"
CLIPPED = "optimizer.clip_norm=0.5"


class MeanLoss(paddle.nn.Layer):
    """A mean over pictures, which two halves of a batch have together: OHEM is none."""

    def forward(self, outputs: Sequence[Any], labels: Any) -> LossParts:
        *maps, detail = outputs
        one, two, three = (F.cross_entropy(logits, labels, axis=1) for logits in maps)
        edge = (detail * detail).mean()
        return LossParts(one + two + three + edge, one, two, three, edge, edge)


class Forgetful(Group):
    """Adds nothing."""

    def add(self, tensors: Sequence[Any], share: float) -> None:
        pass


class Careless(Group):
    """Weighs every process alike, however many pictures it has."""

    def add(self, tensors: Sequence[Any], share: float) -> None:  # noqa: ARG002
        super().add(tensors, 1 / self.count)


def _recipe(*overrides: str) -> Recipe:
    return load_recipe(
        "generated", ["optimizer.weight_decay=0.0", "train.sync_batch_norm=no", *overrides]
    )


def _batch(size: int, dtype: str) -> Batch:
    random = np.random.default_rng(7)
    images = random.standard_normal((size, 3, 32, 32)).astype(dtype)
    return Batch(images, random.integers(0, 19, (size, 32, 32)))


def stepped(
    processes: Processes, recipe: Recipe, size: int = 4, dtype: str = "float32", mean: bool = False
) -> Arrays:
    """Losses, gradients and buffers after one step on this process's share of a batch.

    Without decay the momentum is the gradient after the first step.
    """
    paddle.set_default_dtype(dtype)
    paddle.seed(1)
    network: Any = build("stdc1-seg")
    loss: Any = MeanLoss() if mean else SegmentationLoss()
    use_unbiased_variance(network)
    grouped = build_optimizer(network, SegmentationLoss() if mean else loss, recipe)
    step = Stepper(network, loss, grouped.optimizer, grouped.trained, recipe, processes)
    step.training_mode()
    whole, own = _batch(size, dtype), processes.portion(size)
    losses = step(Batch(whole.images[own], whole.labels[own]), 0, 0.01)
    raw = grouped.optimizer.state_dict()
    paddle.set_default_dtype("float32")
    velocity = {
        path: raw[f"{parameter.name}_velocity_0"].numpy()
        for path, parameter in grouped.trained.items()
        if f"{parameter.name}_velocity_0" in raw
    }
    buffers = {
        f"buffer {path}": array
        for path, array in network_arrays(network).items()
        if path.endswith(("_mean", "_variance"))
    }
    return {**velocity, **buffers, "losses": np.array(list(losses.values()))}


def _network() -> Any:
    paddle.seed(4)
    network: Any = build("stdc1-seg")
    network.eval()
    return network


def _mean_of_parts() -> np.ndarray:
    """Running mean of the first norm after either half of the batch alone, averaged."""
    found = []
    for part in (slice(0, 2), slice(2, 4)):
        paddle.seed(1)
        network: Any = build("stdc1-seg")
        network.train()
        network(paddle.to_tensor(_batch(4, "float32").images[part]))
        found.append(network_arrays(network)["cp.backbone.features.0.bn._mean"])
    return np.mean(found, axis=0)


def work(scenes: Path, folder: Path) -> None:
    """What two processes do together, written by each."""
    group, rank = Group(), int(Group().rank)
    double = {"size": 5, "dtype": "float64", "mean": True}
    found = {
        "mean": stepped(group, _recipe(FROZEN, "train.batch_size=5"), **double),
        "forgetful": stepped(Forgetful(), _recipe(FROZEN, "train.batch_size=5"), **double),
        "careless": stepped(Careless(), _recipe(FROZEN, "train.batch_size=5"), **double),
        "complete": stepped(group, _recipe(COMPLETE)),
        "clipped": stepped(group, _recipe(COMPLETE, CLIPPED)),
    }
    if rank == 0:  # what they shall be, here too: random first weights are a process's own matter
        found |= {
            "whole": stepped(ALONE, _recipe(FROZEN, "train.batch_size=5"), **double),
            "complete-parts": stepped(ALONE, _recipe(COMPLETE, "train.accumulate=2")),
            "clipped-parts": stepped(ALONE, _recipe(COMPLETE, "train.accumulate=2", CLIPPED)),
        }
        np.savez(folder / "means.npz", mean=_mean_of_parts())
    for name, arrays in found.items():
        np.savez(folder / f"{name}{rank}.npz", **arrays)
    pairs, asked = find_pairs(scenes, "train")[:3], []
    with group.together():
        result = evaluate_together(
            group,
            _network(),
            pairs,
            scale=1.0,
            normalisation=IMAGENET,
            advance=lambda name: asked.append(group.gather(name)),
        )
    alone = evaluate(_network(), pairs, scale=1.0, normalisation=IMAGENET).to_json()
    said = {
        "alone": alone,
        "evaluation": result.to_json(),
        "asked": asked,
        "heard": group.gather({"é": rank}),
    }
    (folder / f"said{rank}.json").write_text(json.dumps(said))
    with group.together():
        group.require_same("weather", lambda: "rain")
    errors = []
    try:
        group.require_same("weather", lambda: ["rain", "snow"][rank])
    except InputError as error:
        errors.append(str(error))
    try:
        with group.together():
            if rank == 1:
                raise ValueError("broken here")
            group.gather("what the first one had to say")
    except (ElsewhereError, ValueError) as error:
        errors.append(str(error))
    (folder / f"errors{rank}.json").write_text(json.dumps(errors))


@pytest.fixture(scope="module")
def together(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    assert ends(start(2, work, scenes, folder)) == [0, 0]
    return folder


def _found(folder: Path, name: str, rank: int = 0) -> Arrays:
    with np.load(folder / f"{name}{rank}.npz") as arrays:
        return dict(arrays)


def _error(one: Arrays, other: Arrays) -> float:
    """The largest difference of an array, by its own largest value."""
    assert one.keys() == other.keys()
    return max(
        float(np.abs(one[key] - other[key]).max() / (np.abs(one[key]).max() or 1)) for key in one
    )


def test_gradients_are_those_of_the_whole_batch(together: Path) -> None:
    """Two pictures and three: shares weigh by what is in them."""
    whole_batch = _found(together, "whole")
    assert len(whole_batch) > 100
    assert _error(whole_batch, _found(together, "mean")) < 1e-10


@pytest.mark.parametrize("broken", ["forgetful", "careless"])
def test_sums_that_are_wrong_would_be_seen(together: Path, broken: str) -> None:
    assert _error(_found(together, "whole"), _found(together, broken)) > 1e-3


@pytest.mark.parametrize("name", ["complete", "clipped"])
def test_processes_are_accumulated_parts(together: Path, name: str) -> None:
    """With OHEM and BN as trained: each process sees what one part of a batch sees."""
    parts, found = _found(together, f"{name}-parts"), _found(together, name)
    buffers = {key for key in found if key.startswith("buffer ")}
    assert _error(*({k: a[k] for k in found.keys() - buffers} for a in (parts, found))) < 1e-6
    # One process sees the parts one after the other; the processes see them at once.
    moved = [key for key in buffers if not np.array_equal(parts[key], found[key])]
    assert len(moved) > 50


def test_all_have_the_same_after_a_step(together: Path) -> None:
    for name in ("mean", "complete", "clipped"):
        one, other = _found(together, name, 0), _found(together, name, 1)
        assert all(np.array_equal(one[key], other[key]) for key in one), name


def test_running_statistics_are_the_mean_of_the_parts(together: Path) -> None:
    found = _found(together, "complete")
    with np.load(together / "means.npz") as means:
        assert np.allclose(found["buffer cp.backbone.features.0.bn._mean"], means["mean"], 1e-5)
    untouched = "buffer cp.backbone.conv_last.bn._variance"
    assert np.array_equal(found[untouched], np.ones_like(found[untouched]))


def test_an_evaluation_is_that_of_one_process(together: Path) -> None:
    for rank in (0, 1):
        said = json.loads((together / f"said{rank}.json").read_text())
        found, alone = (Evaluation.from_json(said[name]) for name in ("evaluation", "alone"))
        assert np.array_equal(found.matrix, alone.matrix)
        assert (found.images, found.miou) == (3, alone.miou)
        # Three pictures: all are asked twice, the second process without a picture.
        assert [names[1] != "" for names in said["asked"]] == [True, False]
        assert said["heard"] == [{"é": 0}, {"é": 1}]


def test_what_differs_is_refused_by_all_and_an_error_ends_all(together: Path) -> None:
    for rank, wanted in ((0, "process 1: broken here"), (1, "broken here")):
        refused, broken = json.loads((together / f"errors{rank}.json").read_text())
        assert refused.startswith("weather: process 0 has rain, process 1 has snow")
        assert broken == wanted


@given(st.integers(0, 40), st.integers(1, 9))
def test_portions_divide_a_batch(size: int, parts: int) -> None:
    things = list(range(size))
    found = [things[portion(size, number, parts)] for number in range(parts)]
    assert [one for part in found for one in part] == things
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_batches_do_not_depend_on_the_number_of_processes() -> None:
    whole = BatchPlan(samples=11, batch_size=5, seed=2)
    for count in (2, 3):
        shares = []
        for rank in range(count):
            one = Processes()
            one.rank, one.count = rank, count
            shares.append(replace(whole, processes=one))
        for iteration in (0, 1, 7):
            together = [sample for share in shares for sample in share.samples_of(iteration)]
            assert together == whole.samples_of(iteration)


def test_alone_nothing_is_exchanged() -> None:
    assert ALONE.gather({1: 2}) == [{1: 2}]
    tensor = paddle.ones([2])
    ALONE.add([tensor], 0.5)
    assert tensor.numpy().tolist() == [1, 1]
    ALONE.require_same("nothing", lambda: pytest.fail("not asked"))


@pytest.mark.parametrize("where", ["heads", "all"])
def test_synchronised_norms_keep_names_and_parameters(where: str) -> None:
    """The layers themselves compute on GPUs alone."""
    network: Any = build("stdc1-seg")
    before = {path: id(tensor) for path, tensor in network.state_dict().items()}
    norms = [
        path
        for path, layer in network.named_sublayers()
        if isinstance(layer, paddle.nn.BatchNorm2D)
    ]
    count = synchronised(network, where)
    assert {path: id(tensor) for path, tensor in network.state_dict().items()} == before
    kinds = dict(network.named_sublayers())
    found = {path for path in norms if isinstance(kinds[path], paddle.nn.SyncBatchNorm)}
    backbone = {path for path in norms if path.startswith("cp.backbone.")}
    assert len(found) == count
    assert found == (set(norms) - backbone if where == "heads" else set(norms))
    assert use_unbiased_variance(network, 2) == len(norms)


def test_without_a_kernel_it_is_told() -> None:
    network: Any = build("stdc1-seg")
    two = Processes()
    two.count = 2
    assert "no kernel for it on the cpu; each of the 2" in synchronise(network, "heads", two)
    assert synchronise(network, "no", two) == synchronise(network, "heads", ALONE) == ""


def test_what_one_has_to_do_is_refused_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    require_alone("the ablation")
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    with pytest.raises(InputError, match=r"the ablation was started as 2 processes"):
        require_alone("the ablation")
