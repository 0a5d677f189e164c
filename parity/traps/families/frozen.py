"""Gradients of norms whose weights are absent or frozen."""

from __future__ import annotations

from typing import Any

import numpy as np
from paddle import nn as pn
from torch import nn as tn

from parity.inputs import seed_weights
from parity.traps.tools import carry, gap, in_both, normal
from parity.traps.trap import Measured, trap


def _slopes(module: tn.Module, layer: Any, array: np.ndarray) -> tuple[Any, Any]:
    """Return the gradients of the input, under the same gradient of the output."""
    ours, theirs = in_both(array)
    above = in_both(normal(*array.shape, seed=1))
    ours.requires_grad_()
    theirs.stop_gradient = False
    # Not paddle.grad for the input alone: it treats the weight as frozen.
    (module(ours) * above[0]).sum().backward()
    (layer(theirs) * above[1]).sum().backward()
    return ours.grad, theirs.grad


@trap(
    64,
    "group-norm-gradient",
    torch="affine=False changes nothing about the gradient",
    paddle="weight_attr=False: the gradient of the input is wrong (CPU)",
    mend="a weight of ones, left untrained",
    bound=1e-4,
)
def group_norm_gradient() -> Measured:
    """The gradient of a GroupNorm without weight."""
    module, array = tn.GroupNorm(4, 8, affine=False), normal(2, 8, 5, 6)
    bare = pn.GroupNorm(4, 8, weight_attr=False, bias_attr=False)
    return Measured(
        gap(*_slopes(module, bare, array)),
        gap(*_slopes(module, pn.GroupNorm(4, 8), array)),
        "gradient of the input",
    )


@trap(
    65,
    "layer-norm-frozen",
    torch="requires_grad=False on its weight changes nothing about the input's gradient",
    paddle="stop_gradient=True, or paddle.grad for the input alone, leaves the weight out (CPU)",
    mend="leave stop_gradient alone and keep the weight out of the optimizer",
    bound=1e-4,
)
def layer_norm_frozen() -> Measured:
    """A LayerNorm with a frozen weight."""
    module, layer, array = tn.LayerNorm(6), pn.LayerNorm(6), normal(4, 5, 6)
    seed_weights(module, 65)
    module.weight.requires_grad_(False)
    carry(module, layer)
    after = gap(*_slopes(module, layer, array))
    layer.weight.stop_gradient = True
    return Measured(gap(*_slopes(module, layer, array)), after, "gradient of the input")


@trap(
    66,
    "instance-norm-half-frozen",
    torch="freezing the bias alone leaves the weight trained",
    paddle="with one of the two frozen the other gets no gradient",
    mend="leave stop_gradient alone and keep the bias out of the optimizer",
    bound=1e-4,
)
def instance_norm_half_frozen() -> Measured:
    """An InstanceNorm with a frozen bias."""
    ours, theirs = in_both(normal(2, 3, 5, 5))
    module = tn.InstanceNorm2d(3, affine=True)
    module.bias.requires_grad_(False)
    theirs.stop_gradient = False
    module(ours).pow(2).sum().backward()

    def found(*, frozen: bool) -> Any:
        layer = pn.InstanceNorm2D(3)
        layer.bias.stop_gradient = frozen
        layer(theirs).pow(2).sum().backward()
        return np.zeros(3) if layer.scale.grad is None else layer.scale.grad

    slope = module.weight.grad
    return Measured(gap(slope, found(frozen=True)), gap(slope, found(frozen=False)), "its gradient")
