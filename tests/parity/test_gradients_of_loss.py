"""Gradients from the real loss, in training mode: as a training has them, layer by layer."""

from __future__ import annotations

from typing import Any

import backward_toys as toys
import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner
from paddle_building import blank

from parity import State, check_parity
from parity.cli import main
from parity.inputs import random_input, seed_weights
from parity.job.stdc_training import stdc_training
from parity.precision import TOLERANCE_STEP
from parity.training import Training
from stdc_port import torch_nets
from stdc_port.spec import ARCHS


def training(paddle_loss: Any = None, **changed: Any) -> Training:
    labels = np.array([1, 4, 0, 5])
    usual: dict[str, Any] = {
        "torch_loss": torch.nn.CrossEntropyLoss(),
        "paddle_loss": paddle_loss or paddle.nn.CrossEntropyLoss(),
        "torch_optimizer": None,
        "paddle_optimizer": None,
        "batches": [(toys.images(4, 3), labels)],
    }
    return Training(**usual | changed)


def checked(ours: Any, theirs: Any, learning: Training | None = None, **options: Any) -> Any:
    return check_parity(
        ours, theirs, toys.images(), checks=("backward",), cotangent="loss",
        training=learning or training(), **options,
    )  # fmt: skip


def test_a_correct_port_agrees_in_training_mode() -> None:
    result = checked(toys.torch_cell(), toys.PaddleCell())
    assert result, result.failures[:3]
    assert max(gradient.error64 for gradient in result.gradients) < 1e-12
    assert result.inputs[0].startswith("float32 4×3")
    # A norm over the few values of a batch amplifies rounding; so does it in a training's step.
    assert result.tol64 == TOLERANCE_STEP
    assert {layer.phase for layer in result.layers} == {"forward", "backward"}


@pytest.mark.parametrize(
    "network", [toys.DetachedBranch, toys.MissingFactor, toys.WrongLayer, toys.WrongEpsilon]
)
def test_a_fault_of_the_network_is_caught(network: Any) -> None:
    assert not checked(toys.torch_cell(), network())


def test_a_loss_that_differs_by_a_factor_shows_in_every_gradient() -> None:
    loss = paddle.nn.CrossEntropyLoss()
    result = checked(
        toys.torch_cell(), toys.PaddleCell(), training(lambda x, y: loss(x, y) * 1.001)
    )
    assert not result
    assert all(layer.state.passes for layer in result.layers if layer.phase == "forward")
    trained = [g for g in result.gradients if "zero but for rounding" not in g.reason]
    assert {gradient.state for gradient in trained} == {State.MISMATCH}


def test_a_norm_that_does_not_normalise_by_the_batch_is_isolated() -> None:
    class Frozen(toys.PaddleCell):
        def __init__(self) -> None:
            super().__init__()
            self.norm = paddle.nn.BatchNorm2D(6, use_global_stats=True)

    ours = toys.torch_cell()
    assert check_parity(ours, Frozen(), toys.images())
    result = checked(ours, Frozen())
    assert [layer.name for layer in result.faulty] == ["norm"]


def test_dropout_takes_the_same_masks_on_both_sides() -> None:
    ours = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(147, 8), torch.nn.Dropout(0.5))
    theirs = paddle.nn.Sequential(
        paddle.nn.Flatten(), paddle.nn.Linear(147, 8), paddle.nn.Dropout(0.5)
    )
    x = random_input((4, 3, 7, 7), 2)
    learning = training(batches=[(x, np.array([1, 4, 0, 5]))])
    for isolation in ("never", "always"):
        assert checked(ours, theirs, learning, isolation=isolation)


@pytest.mark.parametrize("arch", ARCHS)
def test_every_layer_of_every_stdc_network_agrees_from_its_real_loss(arch: str) -> None:
    ours = torch_nets.build(arch, num_classes=5)
    seed_weights(ours, 2)
    learning = stdc_training(arch, classes=5, size=(64, 64), batch=3, steps=2)
    result = checked(ours, blank(arch, num_classes=5), learning)
    assert result, result.failures[:3]
    calls = {layer.name for layer in result.layers if layer.phase == "backward"}
    if arch.endswith("-seg"):
        # Heads that a network has in training alone.
        assert {"conv_out16.conv", "conv_out32.conv", "conv_out_sp8.conv"} <= calls
    assert max(gradient.error64 for gradient in result.gradients) < 1e-10
    rounded = [g for g in result.gradients if g.state is State.ROUNDING]
    # In float32 a correct port may be per cents off; each such gradient says why it is rounding.
    assert max(gradient.error32 for gradient in rounded) > (1e-2 if arch == "stdc2-seg" else 1e-5)
    for gradient in rounded:
        evidence = ("in torch itself", "near-zero value", "zero but for rounding")
        assert any(words in gradient.reason for words in evidence), gradient


def test_what_it_needs_is_said() -> None:
    cell = toys.torch_cell(), toys.PaddleCell(), toys.images()
    with pytest.raises(ValueError, match="cotangent='loss' needs training="):
        check_parity(*cell, checks=("backward",), cotangent="loss")
    with pytest.raises(ValueError, match="is of the check 'backward'"):
        check_parity(*cell, cotangent="loss", training=training())
    own = ["--torch", "parity_toys:torch_model", "--paddle", "parity_toys:paddle_model"]
    line = [*own, "--size", "33x40", "--check", "backward", "--cotangent", "loss"]
    result = CliRunner().invoke(main, line)
    assert result.exit_code == 2
    assert "--cotangent loss: name what your networks are trained with" in result.stderr
