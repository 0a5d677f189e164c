"""Windows and grids: convolution, pooling, resizing, padding, sampling."""

from __future__ import annotations

from typing import Any

import numpy as np
from paddle import nn as pn
from torch import nn as tn

from parity.backends.paddle_exact import exact_kernels
from parity.traps.tools import carry, gap, in_both, normal
from parity.traps.trap import Measured, several, trap

TF, PF = tn.functional, pn.functional


@trap(
    31,
    "same-padding-dilation",
    torch="pads for the dilated kernel",
    paddle="pads as if the dilation were 1, and ignores it",
    mend="explicit padding",
)
def same_padding_dilation() -> Measured:
    """padding='same' with a dilation."""
    ours, theirs = in_both(normal(1, 4, 9, 9))
    module = tn.Conv2d(4, 4, 3, padding="same", dilation=2)
    expected = module(ours)

    def error(padding: Any) -> float:
        layer = carry(module, pn.Conv2D(4, 4, 3, padding=padding, dilation=2))
        return gap(expected, layer(theirs))

    return Measured(error("SAME"), error(2))


@trap(
    32,
    "transposed-positions",
    torch="…, output_padding, groups, bias, dilation",
    paddle="…, output_padding, dilation, groups",
    mend="keywords",
)
def transposed_positions() -> Measured:
    """Positional arguments of a transposed convolution."""
    ours, theirs = in_both(normal(1, 4, 5, 5))
    module = tn.ConvTranspose2d(4, 4, 3, 1, 0, 0, 2)
    usual = pn.Conv2DTranspose(4, 4, 3, 1, 0, 0, 2)
    mended = carry(module, pn.Conv2DTranspose(4, 4, 3, groups=2))
    note = "the shape of the output differs: groups=2 became dilation=2"
    return Measured(gap(module(ours), usual(theirs)), gap(module(ours), mended(theirs)), note)


@trap(
    33,
    "ceil-mode",
    torch="drops a window that starts in the padding",
    paddle="keeps it",
    mend="crop the last row and column",
)
def ceil_mode() -> Measured:
    """Pooling with ceil_mode."""
    ours, theirs = in_both(normal(1, 2, 3, 3))
    expected = tn.MaxPool2d(2, 2, 1, ceil_mode=True)(ours)
    found = pn.MaxPool2D(2, 2, 1, ceil_mode=True)(theirs)
    height, width = expected.shape[2:]
    note = f"{list(expected.shape[2:])} against {list(found.shape[2:])}"
    return Measured(gap(expected, found), gap(expected, found[:, :, :height, :width]), note)


@trap(
    34,
    "resize-to-one",
    torch="the middle of the axis",
    paddle="its first value",
    mend="the mean of the two values in the middle",
    source="PaddlePaddle/Paddle#46214",
)
def resize_to_one() -> Measured:
    """Bilinear or bicubic resize to a size of 1, align_corners=False."""
    ours, theirs = in_both(normal(1, 2, 8, 8))
    options: dict[str, Any] = {"mode": "bilinear", "align_corners": False}
    expected = TF.interpolate(ours, size=(1, 8), **options)
    found = PF.interpolate(theirs, size=[1, 8], **options)
    return Measured(gap(expected, found), gap(expected, theirs[:, :, 3:5].mean(2, keepdim=True)))


@trap(
    35,
    "resize-scale",
    torch="no align_mode; recompute_scale_factor",
    paddle="align_mode 0 or 1; the factor is kept",
    mend="align_mode=0, and sizes instead of factors",
)
def resize_scale() -> Measured:
    """Resize by a factor."""
    ours, theirs = in_both(normal(1, 2, 7, 7))
    options: dict[str, Any] = {"mode": "bilinear", "align_corners": False}
    doubled = TF.interpolate(ours, scale_factor=2.0, **options)
    again = TF.interpolate(ours, scale_factor=1.3, recompute_scale_factor=True, **options)
    size = list(again.shape[2:])
    return several(
        {
            "align_mode 1": (
                gap(doubled, PF.interpolate(theirs, scale_factor=2.0, align_mode=1, **options)),
                gap(doubled, PF.interpolate(theirs, scale_factor=2.0, align_mode=0, **options)),
            ),
            "factor 1.3": (
                gap(again, PF.interpolate(theirs, scale_factor=1.3, **options)),
                gap(again, PF.interpolate(theirs, size=size, **options)),
            ),
        }
    )


@trap(
    36,
    "float64-kernels",
    torch="double precision throughout",
    paddle="the scale of a resize, the slope of a hard sigmoid and others are float32",
    mend="an exact result stands in for the kernel while comparing",
    shows=1e-9,
    bound=1e-12,
)
def float64_kernels() -> Measured:
    """Single precision inside float64 kernels."""
    ours, theirs = in_both(normal(1, 2, 7, 9).astype(np.float64))
    options: dict[str, Any] = {"size": (19, 23), "mode": "bilinear", "align_corners": False}
    runs: dict[str, tuple[Any, Any]] = {
        "bilinear resize": (
            lambda x: TF.interpolate(x, **options),
            lambda x: PF.interpolate(x, **options),
        ),
        "hard sigmoid": (TF.hardsigmoid, PF.hardsigmoid),
        "SELU": (TF.selu, PF.selu),
    }
    parts = {}
    for name, (torch_run, paddle_run) in runs.items():
        expected = torch_run(ours)
        before = gap(expected, paddle_run(theirs))
        with exact_kernels(lambda: lambda _: None):
            parts[name] = before, gap(expected, paddle_run(theirs))
    return several(parts)


@trap(
    37,
    "pad-order",
    torch="the last dimension first",
    paddle="from dimension 0 on",
    mend="reorder",
)
def pad_order() -> Measured:
    """F.pad with a list of 2·ndim numbers."""
    ours, theirs = in_both(normal(2, 2, 3, 3))
    pads = [1, 2, 0, 1, 0, 0, 0, 0]
    expected = TF.pad(ours, pads)
    turned = [n for start in range(len(pads) - 2, -1, -2) for n in pads[start : start + 2]]
    note = "the shapes differ"
    return Measured(
        gap(expected, PF.pad(theirs, pads)), gap(expected, PF.pad(theirs, turned)), note
    )


@trap(
    38,
    "grid-sample",
    torch="align_corners=False",
    paddle="align_corners=True",
    mend="align_corners=False",
)
def grid_sample() -> Measured:
    """grid_sample and affine_grid."""
    ours, theirs = in_both(normal(1, 2, 6, 6))
    grid = in_both(np.random.default_rng(38).uniform(-1, 1, (1, 5, 5, 2)).astype(np.float32))
    theta = in_both(normal(1, 2, 3))
    sampled = TF.grid_sample(ours, grid[0], align_corners=False)
    grids = TF.affine_grid(theta[0], [1, 2, 4, 4], align_corners=False)
    return several(
        {
            "grid_sample": (
                gap(sampled, PF.grid_sample(theirs, grid[1])),
                gap(sampled, PF.grid_sample(theirs, grid[1], align_corners=False)),
            ),
            "affine_grid": (
                gap(grids, PF.affine_grid(theta[1], [1, 2, 4, 4])),
                gap(grids, PF.affine_grid(theta[1], [1, 2, 4, 4], align_corners=False)),
            ),
        }
    )
