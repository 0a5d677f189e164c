"""Causes of trainings that part: each is named where it is planted, and nothing else is."""

from dataclasses import replace

import numpy as np
import paddle
import pytest
import torch
from training_toys import IMAGES, STEPS, PaddleNet, Recipe, TorchNet, scheduled, told, training

from parity import check_parity
from parity.causes.training import norms
from parity.causes.training.norms import Normed

SGD = Recipe()
ADAMW = Recipe(kind="AdamW", rate=0.01)
RMSPROP = Recipe(kind="RMSProp", rate=0.01)
CLIPPED = SGD.but(clip="norm")
WARM = scheduled(SGD, lambda step: 0.1 ** (1 - step / 4))

# The cause, what torch does, and what paddle does: each stands beside those that it could be
# taken for, and nothing but itself may be named.
PLANTED = {
    "decay-missing": ("decay-missing", SGD, SGD.but(decay=0.0)),
    "another decay": ("decay-different", SGD, SGD.but(decay=0.04)),
    "decay of vectors": ("decay-on-norms", SGD, SGD.but(norm_decay=0.05)),
    "decay of vectors, AdamW": ("decay-on-norms", ADAMW, ADAMW.but(norm_decay=0.05)),
    "heads' rate": ("group-learning-rate", SGD, SGD.but(heads=1.0)),
    "one rate for all": ("learning-rate", SGD, SGD.but(rate=0.05)),
    "a step ahead": ("step-order", SGD, scheduled(SGD, lambda step: 0.8 ** (step + 1))),
    "another factor": ("schedule-different", SGD, scheduled(SGD, lambda step: 0.7**step)),
    "no schedule": ("schedule-different", SGD, scheduled(SGD, lambda _: 1.0)),
    "linear warm-up": ("warm-up", WARM, scheduled(SGD, lambda step: 0.1 + 0.9 * step / 4)),
    "a line of other ends": (
        "schedule-different",
        WARM,
        scheduled(SGD, lambda step: 0.2 + 0.8 * step / 4),
    ),
    "nesterov": ("nesterov", SGD, SGD.but(nesterov=True)),
    "no nesterov": ("nesterov", SGD.but(nesterov=True), SGD),
    "another momentum": ("momentum-different", SGD, SGD.but(momentum=0.8)),
    "no momentum": ("optimizer-different", SGD, SGD.but(kind="SGD")),
    "Adam": ("optimizer-different", ADAMW, ADAMW.but(kind="Adam")),
    "beta2": ("optimizer-defaults", ADAMW, ADAMW.but(beta2=0.999)),
    "epsilon": ("epsilon-different", ADAMW, ADAMW.but(epsilon=1e-4)),
    "epsilon's place": ("epsilon-placement", RMSPROP.but(epsilon=1e-3), RMSPROP.but(epsilon=1e-3)),
    "not clipped": ("clip-missing", CLIPPED, SGD),
    "clipped by value": ("clip-norm", CLIPPED, CLIPPED.but(clip="value")),
    "clipped by tensor": ("clip-per-tensor", CLIPPED, CLIPPED.but(clip="tensor")),
    "clipped alone": ("clip-added", SGD, CLIPPED),
    "dampening": ("dampening-dropped", SGD.but(dampening=0.3), SGD),
    "not cleared": ("gradients-not-cleared", SGD, SGD.but(summed=True)),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_cause_is_named_and_its_look_alikes_are_not(name):
    cause, ours, theirs = PLANTED[name]
    found, result = told(ours, theirs)
    assert found == [(cause, "")]
    (one,) = result.diagnosis
    assert one.mend
    assert one.source
    assert "are predicted to" in one.evidence


@pytest.mark.parametrize(
    "recipe", [SGD, ADAMW, CLIPPED, WARM], ids=["SGD", "AdamW", "clip", "warm"]
)
def test_a_correct_training_has_no_diagnosis(recipe):
    found, result = told(recipe, recipe)
    assert result
    assert found == []


def test_two_causes_are_both_named():
    found, _ = told(SGD, SGD.but(heads=1.0, norm_decay=0.05))
    assert sorted(found) == [("decay-on-norms", ""), ("group-learning-rate", "")]


def test_mends_hold_torchs_numbers():
    _, result = told(SGD, SGD.but(heads=1.0))
    assert "'learning_rate': 10}" in result.diagnosis[0].mend
    _, result = told(SGD, scheduled(SGD, lambda _: 1.0))
    assert (
        "LambdaDecay(0.02, lambda step: [1, 0.8, 0.64, 0.512, 0.4096]" in result.diagnosis[0].mend
    )


def test_noise_is_no_cause():
    found, result = told(SGD, SGD.but(noise=1e-3))
    assert not result
    assert found == []


def test_parameters_left_out_are_placed():
    found, result = told(SGD, SGD.but(left_out=("hidden.",)))
    assert found == [("parameters-untrained", "hidden")]
    assert "no group" in result.diagnosis[0].evidence


def test_parameters_of_no_gradient_are_not_called_left_out():
    """What a detached branch keeps from moving is in the optimizer all the same."""

    class Detached(PaddleNet):
        def forward(self, x):
            mixed = paddle.nn.functional.relu(self.bn(self.conv(x))).mean((2, 3))
            return self.head(paddle.tanh(self.hidden(mixed.detach())))

    found, result = told(SGD.but(decay=0.0), SGD.but(decay=0.0), Detached())
    assert not result
    assert "parameters-untrained" not in {cause for cause, _ in found}


def test_parameters_that_torch_leaves_alone_are_placed():
    found, _ = told(SGD.but(left_out=("hidden.",)), SGD)
    assert found == [("parameters-unfrozen", "hidden")]


class Frozen(PaddleNet):
    def train(self):
        super().train()
        self.bn.eval()


NORMS = {
    "torch's number": ("bn-momentum", lambda: PaddleNet(momentum=0.1), "torch's number"),
    "another number": ("bn-momentum", lambda: PaddleNet(momentum=0.8), "0.8"),
    "no update": ("bn-momentum", lambda: PaddleNet(momentum=1.0), "1 of its"),
    "evaluation mode": ("bn-frozen", Frozen, "running"),
    "global statistics": ("bn-frozen", lambda: PaddleNet(use_global_stats=True), "running"),
}


@pytest.mark.parametrize("name", NORMS)
def test_a_batch_norm_is_named_and_placed(name):
    cause, port, said = NORMS[name]
    found, result = told(SGD, SGD, port())
    assert found == [(cause, "bn")]
    assert said in result.diagnosis[0].evidence


def normed(momentum, by_batch=1.0, by_running=1.0):
    """Return a call that keeps a share of its statistics, whatever its output is."""
    mean, variance = np.arange(3.0), np.arange(1.0, 4.0)
    before = np.full(3, 5.0), np.full(3, 7.0)
    old = zip(before, (mean, variance), strict=True)
    after = tuple(momentum * one + (1 - momentum) * new for one, new in old)
    return Normed(mean, variance, before, after, by_batch, by_running)


def test_a_norm_that_scales_by_something_else_tells_its_momentum_too():
    """An in-place ABN multiplies by |weight| + epsilon: its output is neither of the usual ones."""
    modules = {"bn": torch.nn.BatchNorm2d(3)}
    pair = {"bn": normed(0.9)}, {"bn": normed(0.1, by_batch=0.0)}
    (found,) = norms.examine(modules, *pair, {"bn": "bn"})
    assert found.cause == "bn-momentum"
    assert not list(norms.examine(modules, pair[0], pair[0], {"bn": "bn"}))


def test_another_epsilon_is_not_called_a_momentum():
    found, result = told(SGD, SGD, PaddleNet(epsilon=1e-3))
    assert not result
    assert not {"bn-momentum", "bn-frozen"} & {cause for cause, _ in found}


def test_an_optimizer_of_ones_own_is_not_judged():
    """What is not one of torch.optim's tells no rule, and no cause is guessed."""

    class Plain:
        def __init__(self, network):
            self.network, self.state = network, {}

        def step(self):
            for p in self.network.parameters():
                p.data -= 0.01 * p.grad

    plan = replace(
        training(SGD, SGD), torch_optimizer=lambda network, _: Plain(network), torch_schedule=None
    )
    result = check_parity(
        TorchNet(), PaddleNet(), IMAGES[0], checks=["train"], training=plan, steps=STEPS,
        precision="float64",
    )  # fmt: skip
    assert not result
    assert result.diagnosis == []
    assert np.isfinite(result.steps[0].tensors[0].error64)
