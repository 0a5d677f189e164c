"""Each training step alone: amplified rounding is told from faults, which show in every step."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
import torch

from parity import State, check_parity
from parity.arguments import as_arguments
from parity.inputs import seed_weights
from parity.passes import Carried
from parity.precision import TOLERANCE_STEP
from parity.structure import structure_of
from parity.training import Training
from parity.training.run import train
from parity.training.sensitivity import sensitivity
from parity.training.verdicts import Tolerances, judged_steps
from stdc_port.training.variance import use_unbiased_variance

#: At this rate the networks below amplify differences about thirtyfold a step, as STDC2-Seg does.
RATE, STEPS = 2.0, 10


class Waves(torch.nn.Module):
    """Steep enough that neighbouring weights part within a few steps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 6, 1)
        self.norm = torch.nn.BatchNorm2d(6)
        self.last = torch.nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.last(torch.sin(5 * self.norm(self.conv(x))).mean((2, 3)))


class PaddleWaves(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 6, 1)
        self.norm = paddle.nn.BatchNorm2D(6)
        self.last = paddle.nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.last(paddle.sin(5 * self.norm(self.conv(x))).mean((2, 3)))


def waves() -> Waves:
    network = Waves()
    seed_weights(network, 1)
    return network


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(1)
    shapes = ((6, 3, 2, 3), (6, 3))
    drawn = [random.standard_normal(shape).astype(np.float32) for _ in range(2) for shape in shapes]
    return [(drawn[0], drawn[1]), (drawn[2], drawn[3])]


def sgd(network: Any, _: Any) -> Any:
    return torch.optim.SGD(network.parameters(), RATE, 0.9, weight_decay=1e-3)


def momentum(rate: float = RATE, mu: float = 0.9, decay: float = 1e-3) -> Any:
    return lambda network, _: paddle.optimizer.Momentum(
        rate, mu, parameters=network.parameters(), weight_decay=decay
    )


def plan(**changed: Any) -> Training:
    usual: dict[str, Any] = {
        "torch_loss": torch.nn.MSELoss(),
        "paddle_loss": paddle.nn.MSELoss(),
        "torch_optimizer": sgd,
        "paddle_optimizer": momentum(),
        "paddle_prepare": use_unbiased_variance,
        "batches": batches(),
    }
    return Training(**usual | changed)


def checked(*, precision: Any = "float64", **changed: Any) -> Any:
    return check_parity(
        waves(), PaddleWaves(), batches()[0][0], checks=("train",), training=plan(**changed),
        steps=STEPS, precision=precision, isolation="never",
    )  # fmt: skip


@pytest.fixture(scope="module")
def correct() -> Any:
    return checked(precision="both")


def largest(step: Any, of: str) -> float:
    return max(getattr(tensor, of) for tensor in step.tensors)


def test_amplified_rounding_passes_with_its_evidence(correct: Any) -> None:
    assert correct, correct.failures[:3]
    first, last = correct.steps[0], correct.steps[-1]
    assert largest(first, "error64") < 1e-11
    assert largest(last, "error64") > 1e-6
    assert max(largest(step, "own64") for step in correct.steps) < TOLERANCE_STEP / 100
    assert last.state is State.ROUNDING
    (note,) = (note for note in correct.notes if "training amplifies rounding" in note)
    assert "a step" in note
    grown = [tensor for tensor in last.tensors if tensor.error64 > 1e-6]
    assert grown
    assert all("amplified rounding: accumulated" in tensor.reason for tensor in grown)


def test_torch_drifts_from_itself_as_paddle_does_from_it(correct: Any) -> None:
    for step in correct.steps:
        assert largest(step, "error64") < 1e3 * largest(step, "sensitivity")
        assert largest(step, "sensitivity") < 1e3 * largest(step, "error64")


def test_both_errors_are_in_the_reports(correct: Any) -> None:
    from parity.report.terminal import as_text

    tensor = correct.to_json()["steps"][-1]["tensors"][0]
    assert tensor["own64"] < 1e-12
    assert tensor["error64"] > 1e-9
    assert 1e-12 < tensor["own32"] < 1e-3
    assert tensor["sensitivity"] > 1e-9
    lines = as_text(correct).splitlines()
    header = next(line for line in lines if line.startswith("step "))
    assert header.split()[-4:] == ["start", "±1", "ulp", "verdict"]
    assert len(header) <= 80


def test_what_torch_itself_does_not_show_is_no_rounding() -> None:
    networks = waves(), PaddleWaves()
    structure = structure_of(*networks, as_arguments(batches()[0][0]), None)
    weights = Carried(*networks, structure, True, None)
    found = train(
        weights.copies("float64"), plan(), "float64", keys=weights.keys, steps=STEPS, tol=1e-5
    )
    drift = sensitivity(weights.copies("float64")[0], plan(), "float64", steps=STEPS)
    calm = tuple({key: error / 1e6 for key, error in step.items()} for step in drift)
    for evidence, state in ((drift, State.ROUNDING), (calm, State.MISMATCH), ((), State.MISMATCH)):
        steps, _ = judged_steps({"float64": found}, evidence, Tolerances(1e-5))
        assert steps[-1].state is state
    assert "more than rounding amplified" in steps[-1].first_difference.reason


def scaled(x: Any, y: Any) -> Any:
    return paddle.nn.functional.mse_loss(x, y) * 1.00001


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"paddle_optimizer": momentum(mu=0.9001)}, "optimizer"),
        ({"paddle_optimizer": momentum(decay=1.01e-3)}, "optimizer"),
        ({"paddle_optimizer": momentum(rate=RATE * (1 + 1e-6))}, "parameter"),
        ({"paddle_loss": scaled}, "loss"),
    ],
)
def test_a_planted_fault_shows_in_each_step_whatever_has_accumulated(
    fault: dict[str, Any], kind: str
) -> None:
    result = checked(**fault)
    assert not result
    # The first step has no momentum yet.
    for step in result.steps[1:]:
        assert step.first_difference.kind == kind
        assert TOLERANCE_STEP < step.first_difference.own64 < 1e-2


def test_a_fault_that_begins_late_is_found_where_it_begins() -> None:
    def schedule(optimizer: Any, step: int) -> None:
        optimizer.set_lr(RATE * (0.5 if step >= 7 else 1.0))

    steps = checked(paddle_schedule=schedule).steps
    assert [step.step for step in steps if not step.state.passes] == [7, 8, 9]
    for step in steps[7:]:
        assert "paddle's update is 0.5 times torch's" in step.first_difference.reason


def test_the_biased_variance_is_accounted_for_exactly_in_every_step() -> None:
    result = checked(paddle_prepare=None)
    assert result, result.failures[:3]
    for step in result.steps:
        variance = next(t for t in step.of_kind("buffer") if "running_var" in t.name)
        assert variance.own64 < 1e-13
        assert "n/(n − 1), here 36/35" in variance.reason
    assert any("36/35" in note for note in result.notes)


def test_a_wrong_share_of_the_running_statistics_is_caught_in_every_step() -> None:
    class NearMomentum(PaddleWaves):
        def __init__(self) -> None:
            super().__init__()
            self.norm = paddle.nn.BatchNorm2D(6, momentum=0.9001)

    training = plan(paddle_prepare=None)
    result = check_parity(
        waves(), NearMomentum(), batches()[0][0], checks=("train",), training=training,
        steps=STEPS, precision="float64", isolation="never",
    )  # fmt: skip
    for step in result.steps:
        failing = {t.name for t in step.tensors if t.own_state is State.MISMATCH}
        assert failing == {"norm.running_mean", "norm.running_var"}


def test_states_of_other_optimizers_start_anew_too() -> None:
    def adam(network: Any, _: Any) -> Any:
        return torch.optim.Adam(network.parameters(), 0.3)

    def paddles(network: Any, _: Any) -> Any:
        return paddle.optimizer.Adam(0.3, parameters=network.parameters())

    steps = checked(torch_optimizer=adam, paddle_optimizer=paddles).steps
    kept = {t.name.rpartition(" ")[2] for t in steps[-1].of_kind("optimizer")}
    assert kept == {"exp_avg", "exp_avg_sq"}
    assert max(t.own64 for step in steps for t in step.of_kind("optimizer")) < TOLERANCE_STEP


def test_the_twin_of_torch_starts_one_unit_in_the_last_place_away() -> None:
    still = plan(torch_optimizer=lambda network, _: torch.optim.SGD(network.parameters(), 0.0))
    (step,) = sensitivity(waves().double(), still, "float64", steps=1)
    moved = [error for (kind, _), error in step.items() if kind == "parameter"]
    assert len(moved) == 6
    assert all(0 < error <= np.finfo("float64").eps for error in moved)
