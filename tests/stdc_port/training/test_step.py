"""One step: parts of a batch, clipping, averages, what is frozen, what the device cannot do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import paddle
import pytest
import torch

from converters import InputError
from stdc_port.paddle_nets import build
from stdc_port.paddle_nets.losses import SegmentationLoss
from stdc_port.training.batches import Batch
from stdc_port.training.nonfinite import NotFiniteError, first_bad_layer
from stdc_port.training.optimizer import build_optimizer
from stdc_port.training.recipe import Recipe, load_recipe
from stdc_port.training.state import network_arrays
from stdc_port.training.step import Stepper, clip_gradients, require_mixed_precision


def _recipe(*overrides: str) -> Recipe:
    return load_recipe("generated", ["train.batch_size=4", *overrides])


def _batch(size: int = 4, seed: int = 0) -> Batch:
    random = np.random.default_rng(seed)
    return Batch(
        random.standard_normal((size, 3, 32, 32)).astype(np.float32),
        random.integers(0, 19, (size, 32, 32)),
    )


def _stepper(recipe: Recipe) -> tuple[Any, Stepper]:
    paddle.seed(1)
    network, loss = build("stdc1-seg"), SegmentationLoss()
    grouped = build_optimizer(network, loss, recipe)
    stepper = Stepper(network, loss, grouped.optimizer, grouped.trained, recipe)
    stepper.training_mode()
    return network, stepper


def _changed(network: Any, before: dict[str, np.ndarray]) -> set[str]:
    return {
        key
        for key, array in network_arrays(network).items()
        if not np.array_equal(array, before[key])
    }


def test_accumulated_parts_are_the_mean_of_their_gradients() -> None:
    """With frozen norms equal parts do not see each other: two halves are the whole batch."""
    half = _batch(2)
    twice = Batch(np.concatenate([half.images] * 2), np.concatenate([half.labels] * 2))
    whole, one = _stepper(_recipe("optimizer.freeze=norms"))
    parts, other = _stepper(_recipe("optimizer.freeze=norms", "train.accumulate=2"))
    first, second = one(twice, 0, 0.01), other(twice, 0, 0.01)
    assert first.keys() == second.keys()
    assert all(np.isclose(first[key], second[key], rtol=1e-5) for key in first)
    ours, theirs = network_arrays(parts), network_arrays(whole)
    for key in ("conv_out.conv_out.weight", "cp.backbone.features.0.conv.weight"):
        assert np.allclose(ours[key], theirs[key], rtol=1e-4, atol=1e-6)


def test_clipping_is_torchs() -> None:
    random = np.random.default_rng(2)
    ours, theirs = {}, []
    for name in ("a", "b", "c"):
        values = random.standard_normal((3, 4)).astype(np.float32)
        parameter = paddle.create_parameter([3, 4], "float32")
        (parameter * paddle.to_tensor(values)).sum().backward()
        ours[name] = parameter
        twin = torch.nn.Parameter(torch.zeros(3, 4))
        twin.grad = torch.from_numpy(values.copy())
        theirs.append(twin)
    for bound in (100.0, 0.5):  # the first bounds nothing
        clip_gradients(ours, bound)
        torch.nn.utils.clip_grad_norm_(theirs, bound)
        for parameter, twin in zip(ours.values(), theirs, strict=True):
            assert np.allclose(parameter.grad.numpy(), twin.grad.numpy(), rtol=1e-6)
    clip_gradients(ours, 0.0)
    assert np.isclose(sum((p.grad.numpy() ** 2).sum() for p in ours.values()) ** 0.5, 0.5)


def test_a_clipped_step_is_a_smaller_one() -> None:
    steps = []
    for bound in (0.0, 1e-3):
        network, step = _stepper(
            _recipe(f"optimizer.clip_norm={bound}", "optimizer.weight_decay=0.0")
        )
        key = "conv_out.conv_out.weight"
        before = network_arrays(network)[key]
        step(_batch(), 0, 0.01)
        steps.append(np.abs(network_arrays(network)[key] - before).max())
    assert 0 < steps[1] < steps[0] / 10


def test_the_average_follows_the_weights() -> None:
    network, step = _stepper(_recipe("train.average=0.5"))
    key = "conv_out.conv_out.weight"
    wanted = network_arrays(network)[key].astype(np.float64)
    for iteration in range(3):
        step(_batch(seed=iteration), iteration, 0.01)
        keep = min(0.5, (1 + iteration) / (10 + iteration))
        wanted = keep * wanted + (1 - keep) * network_arrays(network)[key]
    assert step.average.keys() == network.state_dict().keys()
    assert np.allclose(step.average[key].numpy(), wanted, rtol=1e-5, atol=1e-7)
    assert not np.array_equal(step.average[key].numpy(), network_arrays(network)[key])


@pytest.mark.parametrize(
    ("freeze", "stays", "moves"),
    [
        ("backbone", "cp.backbone.features.", "cp.arm16.bn_atten._mean"),
        ("norms", "cp.arm16.bn_atten.", "cp.backbone.features.0.conv.weight"),
    ],
)
def test_what_is_frozen_stays(freeze: str, stays: str, moves: str) -> None:
    network, step = _stepper(_recipe(f"optimizer.freeze={freeze}"))
    before = network_arrays(network)
    step(_batch(), 0, 0.01)
    changed = _changed(network, before)
    assert moves in changed
    assert not [key for key in changed if key.startswith(stays)]


def test_an_ignored_batch_trains_the_detail_head_alone() -> None:
    network, step = _stepper(_recipe("optimizer.weight_decay=0.0"))
    before = network_arrays(network)
    batch = _batch()
    losses = step(replace(batch, labels=np.full_like(batch.labels, 255)), 0, 0.01)
    assert losses["ohem"] == losses["ohem16"] == losses["ohem32"] == 0
    assert np.isfinite(losses["total"])
    changed = {key for key in _changed(network, before) if not key.endswith(("_mean", "_variance"))}
    assert "conv_out_sp8.conv_out.weight" in changed
    assert "conv_out.conv_out.weight" not in changed


def test_pictures_that_are_not_finite_are_told() -> None:
    _, step = _stepper(_recipe())
    batch = _batch()
    batch.images[1, 0, 3, 3] = np.inf
    with pytest.raises(NotFiniteError, match="the pictures hold it before any layer"):
        step(batch, 0, 0.01)


def test_a_gradient_that_is_not_finite_is_told_before_the_step() -> None:
    network, step = _stepper(_recipe())
    before = network_arrays(network)
    weight = network.conv_out.conv_out.weight
    weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(NotFiniteError, match=r"backward met conv_out\.conv_out\.weight first"):
        step(_batch(), 0, 0.01)
    assert not {key for key in _changed(network, before) if key.endswith("weight")}


@pytest.mark.parametrize("kind", ["bf16", "fp16"])
def test_mixed_precision_is_refused_on_the_cpu(kind: str) -> None:
    with pytest.raises(InputError, match=r"needs a GPU.*train\.amp='off'"):
        _stepper(_recipe(f"train.amp={kind}"))


def test_an_older_gpu_is_asked_whether_it_computes_bfloat16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paddle, "get_device", lambda: "gpu:0")
    monkeypatch.setattr(paddle.amp, "is_bfloat16_supported", lambda: False)
    require_mixed_precision("fp16")
    with pytest.raises(InputError, match=r"gpu:0 computes no bfloat16.*'fp16'"):
        require_mixed_precision("bf16")
    monkeypatch.setattr(paddle.amp, "is_bfloat16_supported", lambda: True)
    require_mixed_precision("bf16")


class _Scaler:
    """Does what Paddle's does on a GPU, by a power of two, which rounds nothing."""

    def __init__(self, parameters: dict[str, Any], scale: float) -> None:
        self._parameters, self._scale = parameters, scale
        self.overflowed = 0

    def scale(self, loss: Any) -> Any:
        return loss * self._scale

    def unscale_(self, _: Any) -> None:
        for parameter in self._parameters.values():
            if parameter.grad is not None:
                parameter.grad.set_value(parameter.grad / self._scale)

    def step(self, optimizer: Any) -> None:
        gradients = [p.grad for p in self._parameters.values() if p.grad is not None]
        if all(bool(paddle.isfinite(gradient).all()) for gradient in gradients):
            optimizer.step()
        else:
            self.overflowed += 1

    def update(self) -> None:
        pass


def test_a_scaled_loss_trains_as_one_that_is_not() -> None:
    """Gradients are clipped once they have their own size again; overflow changes no weight."""
    recipe = _recipe("optimizer.clip_norm=0.5", "train.accumulate=2")
    plain, one = _stepper(recipe)
    scaled, other = _stepper(recipe)
    other.scaler = _Scaler(other._trained, 1024.0)
    one(_batch(), 0, 0.01)
    other(_batch(), 0, 0.01)
    theirs = network_arrays(plain)
    assert not _changed(scaled, theirs)
    other.scaler = _Scaler(other._trained, 2.0**127)
    other(_batch(seed=1), 1, 0.01)
    assert other.scaler.overflowed == 1
    assert not {key for key in _changed(scaled, theirs) if key.endswith("weight")}


@pytest.mark.filterwarnings("ignore:amp_guard can only be enabled")
def test_the_reason_is_true() -> None:
    layer = paddle.nn.Conv2D(3, 4, 3)
    picture = paddle.ones([1, 3, 8, 8])
    with paddle.amp.auto_cast(dtype="bfloat16"):
        assert layer(picture).dtype == paddle.float32


def test_looking_for_a_bad_layer_waits_for_no_other_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a synchronised norm in training mode all processes must ask at once."""
    modes = []

    def forward(self: Any, x: Any) -> Any:
        modes.append(self.training)
        return x * float("inf")

    monkeypatch.setattr(paddle.nn.SyncBatchNorm, "forward", forward)
    network = paddle.nn.Sequential(paddle.nn.SyncBatchNorm(3))
    found = first_bad_layer(network, np.ones((2, 3, 4, 4), np.float32))
    assert "is 0 (SyncBatchNorm)" in found
    assert modes == [False]
    assert network[0].training
