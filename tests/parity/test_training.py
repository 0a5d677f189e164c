"""Training side by side: correct ports agree step by step, planted faults are caught and named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import backward_toys as toys
import numpy as np
import paddle
import pytest
import torch

from parity import State, check_parity
from parity.inputs import seed_weights
from parity.job.stdc_recipe import published_rate
from parity.job.stdc_training import stdc_training
from parity.training import Training
from stdc_port import paddle_nets, torch_nets
from stdc_port.training.recipe import load_recipe
from stdc_port.training.variance import use_unbiased_variance

RATE, DECAY = 0.1, 1e-3


def sgd(network: Any, _: Any) -> Any:
    return torch.optim.SGD(network.parameters(), RATE, 0.9, weight_decay=DECAY)


def momentum(rate: float = RATE, left_out: str = "nothing") -> Any:
    def make(network: Any, _: Any) -> Any:
        named = network.named_parameters()
        held = [parameter for name, parameter in named if not name.startswith(left_out)]
        return paddle.optimizer.Momentum(rate, 0.9, parameters=held, weight_decay=DECAY)

    return make


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(1)
    return [(toys.images(4, seed), random.integers(0, 6, 4)) for seed in (1, 2)]


def plan(**changed: Any) -> Training:
    usual: dict[str, Any] = {
        "torch_loss": torch.nn.CrossEntropyLoss(),
        "paddle_loss": paddle.nn.CrossEntropyLoss(),
        "torch_optimizer": sgd,
        "paddle_optimizer": momentum(),
        "paddle_prepare": use_unbiased_variance,
        "batches": batches(),
    }
    return Training(**usual | changed)


def trained(theirs: Any = None, *, precision: Any = "float64", **changed: Any) -> Any:
    return check_parity(
        toys.torch_cell(),
        theirs or toys.PaddleCell(),
        toys.images(),
        checks=("forward", "train"),
        training=plan(**changed),
        steps=3,
        precision=precision,
        isolation="never",
    )


def first(result: Any) -> Any:
    assert not result
    return next(step.first_difference for step in result.steps if step.first_difference)


def test_a_correct_port_trains_alike() -> None:
    result = trained(precision="both")
    assert result, result.failures[:3]
    assert [step.step for step in result.steps] == [0, 1, 2]
    kinds = {tensor.kind for tensor in result.steps[0].tensors}
    assert kinds == {"loss", "gradient", "optimizer", "parameter", "buffer"}
    assert max(tensor.error64 for step in result.steps for tensor in step.tensors) < 1e-12
    assert any("momentum optimizer's factors" in note for note in result.notes)


def test_another_rate_is_named() -> None:
    found = first(trained(paddle_optimizer=momentum(RATE / 10)))
    assert found.kind == "parameter"
    assert "paddle's update is 0.1 times torch's" in found.reason


def test_a_parameter_in_no_group_is_named() -> None:
    found = first(trained(paddle_optimizer=momentum(left_out="left")))
    assert found.name == "left.weight: momentum_buffer"
    assert "in one of paddle's groups" in found.reason


def test_a_missing_factor_in_the_gradient_is_a_gradients_fault() -> None:
    assert first(trained(toys.MissingFactor())).kind == "gradient"


def test_another_loss_is_found_at_the_loss() -> None:
    smooth = paddle.nn.CrossEntropyLoss(label_smoothing=0.05)
    found = first(trained(paddle_loss=smooth))
    assert (found.kind, found.name) == ("loss", "loss")


def test_the_biased_running_variance_is_accounted_for_exactly() -> None:
    result = trained(paddle_prepare=None)
    assert result, result.failures[:3]
    variance = next(t for t in result.steps[-1].of_kind("buffer") if "running_var" in t.name)
    assert "n/(n − 1), here 224/223" in variance.reason
    assert variance.error64 < 1e-13
    assert any("224/223" in note for note in result.notes)


class OtherMomentum(toys.PaddleCell):
    def __init__(self) -> None:
        super().__init__()
        self.norm = paddle.nn.BatchNorm2D(6, momentum=0.1)


class NearMomentum(toys.PaddleCell):
    def __init__(self) -> None:
        super().__init__()
        self.norm = paddle.nn.BatchNorm2D(6, momentum=0.9001)


@pytest.mark.parametrize("network", [OtherMomentum, NearMomentum])
@pytest.mark.parametrize("prepare", [None, use_unbiased_variance])
def test_a_wrong_momentum_does_not_hide_behind_the_biased_variance(
    network: Any, prepare: Any
) -> None:
    result = trained(network(), paddle_prepare=prepare)
    assert not result
    failing = {t.name for t in result.steps[0].tensors if t.state is State.MISMATCH}
    assert failing == {"norm.running_mean", "norm.running_var"}


@pytest.mark.parametrize("rate", [0.5, 0.0])
def test_dropout_takes_the_same_masks_on_both_sides(rate: float) -> None:
    ours = torch.nn.Sequential(
        torch.nn.Linear(4, 16), torch.nn.Dropout(rate), torch.nn.Linear(16, 3)
    )
    theirs = paddle.nn.Sequential(
        paddle.nn.Linear(4, 16), paddle.nn.Dropout(rate), paddle.nn.Linear(16, 3)
    )
    random = np.random.default_rng(1)
    x = random.standard_normal((5, 4)).astype(np.float32)
    training = plan(batches=[(x, random.integers(0, 3, 5))], paddle_prepare=None)
    result = check_parity(ours, theirs, x, checks=("train",), training=training, steps=2)
    assert result, result.failures[:3]


def test_the_stdc_segmentation_network_trains_as_the_authors() -> None:
    ours = torch_nets.build("stdc1-seg", num_classes=5)
    seed_weights(ours, 1)
    theirs = paddle_nets.build("stdc1-seg", num_classes=5)
    training = stdc_training("stdc1-seg", classes=5, size=(64, 64), batch=3, steps=3)
    x = training.batches[0][0]
    result = check_parity(
        ours, theirs, x, checks=("train",), training=training, steps=3,
        precision="float64", isolation="never",
    )  # fmt: skip
    assert result, result.failures[:3]
    # At the published rate, and with gains of in-place ABN below zero.
    assert max(tensor.own64 for step in result.steps for tensor in step.tensors) < 1e-10
    names = {tensor.name for tensor in result.steps[-1].of_kind("parameter")}
    assert "loss.detail.fuse_kernel" in names


def test_the_published_rate_is_the_recipes() -> None:
    for warmup in ("exponential", "linear", "none"):
        recipe = load_recipe("stdc1_seg50")
        rate = replace(recipe.rate, warmup=warmup, end=1e-5)
        schedule = replace(recipe, rate=rate).schedule()
        for step in (0, 1, 500, 999, 1000, 1001, 30000, 59999):
            wanted = published_rate(step, rate, recipe.train.iterations)
            assert schedule.rate(step) == pytest.approx(wanted, rel=1e-12)


def test_a_check_without_its_training_is_refused() -> None:
    with pytest.raises(ValueError, match="needs training="):
        check_parity(toys.Cell(), toys.PaddleCell(), toys.images(), checks=("train",))
    with pytest.raises(ValueError, match="at least one batch"):
        plan(batches=[])
