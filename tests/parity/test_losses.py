"""Losses on identical outputs and labels: correct pairs agree, planted faults are caught."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner

from parity import check_parity
from parity.cli import main
from parity.job.stdc_training import stdc_losses
from parity.losses import LossCase, Losses, check_losses, segmentation_cases
from parity.record import NetworkError

F, G = torch.nn.functional, paddle.nn.functional
BOTH = ("float32", "float64")
CASES = segmentation_cases([(2, 4, 16, 24)], (16, 24), 4)


def judged(ours: Any, theirs: Any, cases: Any = CASES) -> dict[str, Any]:
    found = check_losses(Losses(ours, theirs, cases), BOTH, tol=1e-5, tol64=1e-11)
    return {loss.case: loss for loss in found}


def cross_entropy(x: Any, labels: Any) -> Any:
    return F.cross_entropy(x, labels, ignore_index=255, reduction="sum")


def paddle_cross_entropy(x: Any, labels: Any) -> Any:
    return G.cross_entropy(x, labels, ignore_index=255, reduction="sum", axis=1)


def test_the_losses_of_stdc_agree_on_every_case() -> None:
    losses = stdc_losses("stdc1-seg", classes=5, size=(40, 56))
    assert {case.name for case in losses.cases} >= {"few valid pixels", "ignored labels only"}
    for loss in check_losses(losses, BOTH, tol=1e-5, tol64=1e-11):
        assert loss.state.passes, (loss.case, [t for t in loss.tensors if not t.state.passes])
        names = [(tensor.kind, tensor.name) for tensor in loss.tensors]
        assert names[:6] == [("loss", name) for name in
                             ("total", "ohem", "ohem16", "ohem32", "bce", "dice")]  # fmt: skip
        assert names[6:] == [("gradient", f"output {place}") for place in range(4)]


def test_a_correct_pair_agrees() -> None:
    assert all(loss.state.passes for loss in judged(cross_entropy, paddle_cross_entropy).values())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, y: G.cross_entropy(x, y, ignore_index=255, axis=1),
        lambda x, y: paddle_cross_entropy(x, y) * 1.00001,
        lambda x, y: paddle_cross_entropy(x * 1.0001, y),
        lambda x, y: paddle_cross_entropy(x, paddle.where(y == 255, paddle.zeros_like(y), y)),
    ],
)
def test_another_mean_factor_or_ignored_label_is_caught(wrong: Any) -> None:
    assert not judged(cross_entropy, wrong)["labels with ignored patches"].state.passes


def test_a_detached_loss_is_caught_by_its_gradient() -> None:
    found = judged(cross_entropy, lambda x, y: paddle_cross_entropy(x.detach(), y))
    value, gradient = found["no ignored labels"].tensors
    assert value.state.passes
    assert "no gradient reaches it in paddle" in gradient.reason


def test_a_batch_that_would_corrupt_memory_is_refused() -> None:
    def guarded(x: Any, y: Any) -> Any:
        return G.nll_loss(G.log_softmax(x, 1), y, ignore_index=255)

    labels = np.full((2, 4, 4), 255)
    case = LossCase("ignored labels only", (np.zeros((2, 3, 4, 4), np.float32),), (labels,))
    with pytest.raises(NetworkError, match="corrupts memory"):
        judged(lambda x, y: F.nll_loss(x.log_softmax(1), y, ignore_index=255), guarded, [case])


def test_through_check_parity_and_not_without_losses() -> None:
    ours, theirs = torch.nn.Conv2d(3, 4, 1), paddle.nn.Conv2D(3, 4, 1)
    x = np.ones((1, 3, 4, 4), np.float32)
    losses = Losses(cross_entropy, paddle_cross_entropy, CASES)
    assert check_parity(ours, theirs, x, checks=("loss",), losses=losses)
    wrong = Losses(cross_entropy, lambda x, y: paddle_cross_entropy(x, y) * 2, CASES)
    result = check_parity(ours, theirs, x, checks=("loss",), losses=wrong)
    assert not result
    assert any("loss, few valid pixels" in failure for failure in result.failures)
    with pytest.raises(ValueError, match="needs losses="):
        check_parity(ours, theirs, x, checks=("loss",))


def test_all_checks_of_an_stdc_network_on_the_command_line() -> None:
    line = "--arch stdc1-seg --size 64x96 --check all --steps 2 --precision float64"
    result = CliRunner().invoke(main, line.split())
    assert result.exit_code == 0, result.output


def test_own_networks_need_their_losses_named() -> None:
    pair = ["--torch", "parity_toys:torch_model", "--paddle", "parity_toys:paddle_model"]
    for check, said in (("loss", "--torch-loss"), ("train", "--training")):
        result = CliRunner().invoke(main, [*pair, "--size", "33x40", "--check", check])
        assert result.exit_code == 2
        assert said in result.stderr
