"""STDC ports as they are found in public: data, figures, small batches, gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import paddle
import torch
from paddle import nn as pn
from torch import nn as tn

from parity.inputs import seed_weights
from parity.traps.tools import carry, default_dtype, gap, in_both, normal, raises
from parity.traps.trap import CannotRunError, Measured, trap


@trap(
    11,
    "normalisation",
    torch="ImageNet's",
    paddle="0.5 and 0.5 is PaddleSeg's default",
    mend="carry them along with the weights",
)
def normalisation() -> Measured:
    """Mean and deviation of the colours."""
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    white = np.ones((3, 1, 1), np.float32)
    normalize = paddle.vision.transforms.Normalize
    ours = (torch.from_numpy(white) - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[
        :, None, None
    ]
    return Measured(
        gap(ours, normalize(0.5, 0.5)(white)),
        gap(ours, normalize(mean, std)(white)),
        "the value of white, blue channel",
    )


@trap(
    12,
    "resize-backend",
    torch="the authors: PIL, pixel centres",
    paddle="cv2 and interpolate(mode='nearest'): pixel corners",
    mend="one backend for training and comparison; PIL's rule is 'nearest-exact'",
    bound=0.0,
)
def resize_backend() -> Measured:
    """Labels made smaller by nearest neighbour."""
    try:
        from PIL import Image
    except ImportError as error:
        raise CannotRunError("pillow is not installed") from error
    labels = np.random.default_rng(12).integers(0, 256, (64, 64)).astype(np.uint8)
    pil = np.asarray(Image.fromarray(labels).resize((32, 32), Image.Resampling.NEAREST))
    ours, theirs = in_both(labels[None, None].astype(np.float32))
    nearest = paddle.nn.functional.interpolate(theirs, size=[32, 32], mode="nearest")
    exact = tn.functional.interpolate(ours, size=(32, 32), mode="nearest-exact")
    differ = [float(np.mean(pil != x.numpy()[0, 0])) for x in (nearest, exact)]
    return Measured(differ[0], differ[1], "share of random labels that differ at half size")


@trap(
    13,
    "absent-class",
    torch="the authors: NaN",
    paddle="PaddleSeg: 1 for that class",
    mend="mean over the classes that are there, the others listed",
)
def absent_class() -> Measured:
    """The mean IoU where a class is absent."""
    from stdc_port.training.metrics import Evaluation

    matrix = np.array([[30, 10, 0], [5, 25, 0], [0, 0, 0]])
    hits, union = np.diag(matrix), matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    present = hits[:2] / union[:2]
    with np.errstate(invalid="ignore"):
        authors = np.mean(hits / union)
    counted = np.mean([*present, 1.0])
    found = Evaluation(matrix, 1, (1.0,), ("a", "b", "c")).miou
    note = f"{authors} and {counted:.3f}; over the classes that are there {present.mean():.3f}"
    assert math.isnan(authors)  # noqa: S101 - 0/0
    return Measured(abs(counted - present.mean()), abs(found - present.mean()), note)


@trap(
    14,
    "one-value-a-channel",
    torch="raises",
    paddle="returns its input and leaves the statistics alone",
    mend="refuse a batch of 1 in training",
)
def one_value_a_channel() -> Measured:
    """BN in training on one value a channel."""

    def silent(batch: int) -> float:
        ours, theirs = in_both(normal(batch, 4, 1, 1) + 3)
        module, layer = tn.BatchNorm2d(4), pn.BatchNorm2D(4)
        if raises(lambda: module(ours)):
            return gap(torch.zeros(1, 4, 1, 1), layer(theirs))
        return gap(module(ours), layer(theirs))

    return Measured(silent(1), silent(2), "its output, which normalised would be 0; then batch 2")


def _stack(nn: Any, conv: Any, norm: Any) -> Any:
    return nn.Sequential(
        *(nn.Sequential(conv(16, 16, 3, padding=1), norm(16), nn.ReLU()) for _ in range(24))
    )


@trap(
    15,
    "float32-gradients",
    torch="rounding decides on which side of a kink a value lies",
    paddle="another rounding",
    mend="judge in float64",
    shows=1e-5,
    bound=1e-9,
)
def float32_gradients() -> Measured:
    """Gradients in float32 behind many ReLUs."""
    module = _stack(tn, tn.Conv2d, tn.BatchNorm2d)
    seed_weights(module, 15)
    image = normal(4, 16, 16, 16)

    def error(dtype: str) -> float:
        with default_dtype(dtype):
            layer = _stack(pn, pn.Conv2D, pn.BatchNorm2D)
        ours, theirs = in_both(image.astype(dtype))
        carry(module.to(ours.dtype), layer)
        ours.requires_grad_()
        theirs.stop_gradient = False
        slopes = (
            torch.autograd.grad((module(ours) ** 2).mean(), ours)[0],
            paddle.grad((layer(theirs) ** 2).mean(), theirs)[0],
        )
        return gap(*slopes) / float(slopes[0].abs().max())

    return Measured(error("float32"), error("float64"), "gradient of the input, relative")
