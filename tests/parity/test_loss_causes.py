"""Causes of losses that differ: each is named where it is planted, and its look-alikes are not."""

import numpy as np
import paddle
import paddle.nn.functional as PF
import pytest
import torch
import torch.nn.functional as TF
from loss_toys import (
    LABELS,
    THRESHOLD,
    WEIGHTS,
    case,
    diagnosed,
    ohem,
    paddle_dice,
    paddle_ohem,
    torch_dice,
)


def torch_plain(x, y):
    return TF.cross_entropy(x, y, ignore_index=255)


def torch_full(x, y):
    weight = torch.tensor(WEIGHTS, dtype=x.dtype)
    return TF.cross_entropy(x, y, weight=weight, ignore_index=255, label_smoothing=0.1)


def torch_weighted(x, y):
    return TF.cross_entropy(x, y, weight=torch.tensor(WEIGHTS, dtype=x.dtype), ignore_index=255)


def torch_rough(x, y):
    rough = TF.smooth_l1_loss(x[..., 1:], x[..., :-1], beta=0.5)
    return torch_plain(x, y) + 0.3 * rough


def ohem_all(x, y):
    return ohem(x, y, THRESHOLD + 9)


def torch_resized(x, y):
    large = TF.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    return torch_plain(large, torch.repeat_interleave(torch.repeat_interleave(y, 2, 1), 2, 2))


def torch_binary(x, y):
    positive = torch.tensor(3.0, dtype=x.dtype)
    target = (y == 1).to(x.dtype)
    return TF.binary_cross_entropy_with_logits(x[:, 0], target, pos_weight=positive)


def torch_probable(x, y):
    return TF.binary_cross_entropy(torch.sigmoid(x[:, 0]), (y == 1).to(x.dtype))


def torch_logs(x, y):
    chosen = torch.softmax(x, 1).clamp(min=1e-2).log()
    return TF.nll_loss(chosen, y.clamp(max=3))


def paddle_ce(x, y, **options):
    return PF.cross_entropy(x, y, **{"ignore_index": 255, "axis": 1, **options})


def weights(x):
    return paddle.to_tensor(WEIGHTS).astype(x.dtype)


def negative(x, y):
    return paddle_ce(x, paddle.where(y == 255, paddle.full_like(y, -1), y), ignore_index=-1)


def resized(x, y, **options):
    large = PF.interpolate(
        x, scale_factor=2, **{"mode": "bilinear", "align_corners": True, **options}
    )
    return paddle_ce(large, y.repeat_interleave(2, 1).repeat_interleave(2, 2))


def rough(x, y, *, delta=0.5, weight=0.3, over=None):
    found = PF.smooth_l1_loss(x[..., 1:], x[..., :-1], delta=delta) / (over or delta)
    return paddle_ce(x, y) + weight * found


def binary(x, y, scale=3.0, squash=lambda x: x):
    positive = paddle.to_tensor(scale).astype(x.dtype)
    target = (y == 1).astype(x.dtype)
    return PF.binary_cross_entropy_with_logits(squash(x[:, 0]), target, pos_weight=positive)


def logs(x, y, axis=1, least=1e-2):
    chosen = PF.softmax(x, axis=axis).clip(min=least).log()
    rows = paddle.take_along_axis(chosen, y.clip(max=3).unsqueeze(1), 1)
    return -rows.mean()


def by_count(x, y):
    losses = paddle_ce(x, y, weight=weights(x), reduction="sum")
    return losses / (y != 255).astype(x.dtype).sum()


# The cause, torch's loss, paddle's.
PLANTED = {
    "counted": ("ignore-index", torch_plain, negative),
    "clipped": ("ignore-index", torch_plain, lambda x, y: paddle_ce(x, y.clip(max=3))),
    "to zero": (
        "ignore-index",
        torch_plain,
        lambda x, y: paddle_ce(x, paddle.where(y == 255, paddle.zeros_like(y), y)),
    ),
    "sum": ("loss-reduction", torch_plain, lambda x, y: paddle_ce(x, y, reduction="sum")),
    "no weights": ("class-weights-dropped", torch_weighted, paddle_ce),
    "mean of weighted": ("class-weights-mean", torch_weighted, by_count),
    "softmax before": (
        "probabilities-as-logits",
        torch_plain,
        lambda x, y: paddle_ce(PF.softmax(x, axis=1), y),
    ),
    "Huber": ("smooth-l1-delta", torch_rough, lambda x, y: rough(x, y, over=1.0)),
    "delta 1": ("smooth-l1-delta", torch_rough, lambda x, y: rough(x, y, delta=1.0)),
    "delta 0.3": ("smooth-l1-delta", torch_rough, lambda x, y: rough(x, y, delta=0.3)),
    "weight": ("loss-weight", torch_rough, lambda x, y: rough(x, y, weight=0.4)),
    "detached": (
        "gradient-stopped",
        torch_rough,
        lambda x, y: paddle_ce(x, y) + (rough(x, y) - paddle_ce(x, y)).detach(),
    ),
    "no term": ("loss-term-dropped", torch_rough, paddle_ce),
    "corners": (
        "resize-align-corners",
        torch_resized,
        lambda x, y: resized(x, y, align_corners=False),
    ),
    "nearest": (
        "resize-mode",
        torch_resized,
        lambda x, y: resized(x, y, mode="nearest", align_corners=False),
    ),
    "no positive weight": (
        "class-weights-dropped",
        torch_binary,
        lambda x, y: binary(x, y, scale=1.0),
    ),
    "sigmoid before": (
        "probabilities-as-logits",
        torch_binary,
        lambda x, y: binary(x, y, squash=PF.sigmoid),
    ),
    "logits for probabilities": (
        "logits-as-probabilities",
        torch_probable,
        lambda x, y: PF.binary_cross_entropy_with_logits(
            PF.sigmoid(x[:, 0]), (y == 1).astype(x.dtype)
        ),
    ),
    "axis": ("softmax-axis", torch_logs, lambda x, y: logs(x, y, axis=3)),
    "no clip": ("clipping-dropped", torch_logs, lambda x, y: logs(x, y, least=0.0)),
    "threshold": ("ohem-rule", ohem, lambda x, y: paddle_ohem(x, y, threshold=0.7)),
    "fewest": ("ohem-rule", ohem_all, lambda x, y: paddle_ohem(x, y, THRESHOLD + 9, 10)),
    "dice": ("smoothing-constant", torch_dice, lambda x, y: paddle_dice(x, y, smooth=1e-5)),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_cause_is_named_and_its_look_alikes_are_not(name):
    cause, ours, theirs = PLANTED[name]
    found, result = diagnosed(ours, theirs)
    assert not result
    assert found == [cause]
    (one,) = result.diagnosis
    assert one.mend
    assert "so changed agrees" in one.evidence


SAME = {
    "cross-entropy": (torch_plain, paddle_ce),
    "rough": (torch_rough, rough),
    "resized": (torch_resized, resized),
    "binary": (torch_binary, binary),
    "logs": (torch_logs, logs),
    "ohem": (ohem, paddle_ohem),
    "dice": (torch_dice, paddle_dice),
}


@pytest.mark.parametrize("name", SAME)
def test_a_correct_loss_has_no_diagnosis(name):
    found, result = diagnosed(*SAME[name])
    assert result
    assert found == []


def test_a_scaled_loss_is_named_with_its_factor():
    found, result = diagnosed(torch_plain, lambda x, y: paddle_ce(x, y) / 4)
    assert found == ["loss-scale"]
    assert result.diagnosis[0].mend == "loss * 4"


def test_smoothing_forgotten_is_told_from_weights_forgotten():
    found, _ = diagnosed(torch_full, lambda x, y: paddle_ce(x, y, weight=weights(x)))
    assert found == ["label-smoothing-dropped"]


def test_weights_and_smoothing_together_are_paddles_own():
    """Paddle weighs each label's smoothed loss, torch each class's part of it."""

    def ours(x, y):
        return torch_full(x, y.clamp(max=3))

    def theirs(x, y):
        x, y = x.transpose([0, 2, 3, 1]), y.clip(max=3)
        return PF.cross_entropy(x, y, weight=weights(x), label_smoothing=0.1)

    found, _ = diagnosed(ours, theirs)
    assert found == ["label-smoothing-weights"]


def test_noise_is_no_cause():
    """Where no change of torch's loss gives paddle's values and gradients, none is named."""
    noise = np.random.default_rng(5).standard_normal(case().outputs[0].shape)

    def theirs(x, y):
        return paddle_ce(x + 0.1 * paddle.to_tensor(noise).astype(x.dtype), y)

    found, result = diagnosed(torch_rough, theirs)
    assert not result
    assert found == []


def test_a_value_alone_confirms_nothing():
    """A factor that a solved weight would explain, but gradients that it would not."""

    def theirs(x, y):
        return paddle_ce(x, y) + (0.6 * rough(x, y) - 0.6 * paddle_ce(x, y)).detach()

    found, result = diagnosed(torch_rough, theirs)
    assert not result
    assert found == []


class PaddleFused(paddle.nn.Layer):
    def __init__(self, kernel) -> None:
        super().__init__()
        initializer = paddle.nn.initializer.Assign(np.array(kernel, "float32").reshape(1, 4, 1, 1))
        self.kernel = self.create_parameter((1, 4, 1, 1), default_initializer=initializer)

    def forward(self, x, y):
        mixed = PF.conv2d(x, self.kernel.astype(x.dtype))
        return (mixed**2).mean() + 0.0 * y.astype(x.dtype).mean()


def torch_fused(x, y):
    kernel = torch.tensor([0.6, 0.3, 0.1, 0.5], dtype=torch.float32).reshape(1, 4, 1, 1)
    return (TF.conv2d(x, kernel.to(x.dtype)) ** 2).mean() + 0.0 * y.to(x.dtype).mean()


def test_another_kernel_is_named():
    found, result = diagnosed(torch_fused, PaddleFused([0.2, -0.3, 0.7, 0.1]))
    assert found == ["fuse-kernel"]
    assert "0.6" in result.diagnosis[0].evidence


def test_a_kernel_beside_another_fault_is_not_named():
    """Torch's kernel in its place does not make this loss torch's."""

    class Other(PaddleFused):
        def forward(self, x, y):
            return super().forward(x.abs(), y)

    found, _ = diagnosed(torch_fused, Other([0.2, -0.3, 0.7, 0.1]))
    assert "fuse-kernel" not in found


def test_labels_have_ignored_ones():
    assert (LABELS == 255).any()
    assert (LABELS != 255).any()
