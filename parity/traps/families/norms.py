"""Normalisation layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
from paddle import nn as pn
from torch import nn as tn

from parity.inputs import seed_weights
from parity.traps.tools import carry, gap, in_both, normal
from parity.traps.trap import Measured, several, trap
from parity.weights import transfer
from stdc_port.training.variance import use_unbiased_variance


@trap(
    16,
    "bn-momentum",
    torch="momentum is the new batch's share, 0.1",
    paddle="momentum is the old value's share, 0.9",
    mend="BatchNorm2D(…, momentum=1 − m)",
    source="PaddlePaddle/Paddle#32810",
)
def bn_momentum() -> Measured:
    """BN's momentum."""
    ours, theirs = in_both(normal(8, 3, 4, 4))
    module = tn.BatchNorm2d(3, momentum=0.1)
    module(ours)

    def error(momentum: float) -> float:
        layer = pn.BatchNorm2D(3, momentum=momentum)
        layer(theirs)
        return gap(module.running_mean, layer.state_dict()["_mean"])

    return Measured(error(0.1), error(0.9), "running mean after one batch")


@trap(
    17,
    "biased-variance",
    torch="the unbiased one of the batch",
    paddle="the biased one",
    mend="times n/(n − 1) as it is stored",
)
def biased_variance() -> Measured:
    """BN's running variance."""

    def error(count: int, *, mended: bool) -> float:
        ours, theirs = in_both(normal(count, 16, 1, 1))
        module, layer = tn.BatchNorm2d(16), pn.Sequential(pn.BatchNorm2D(16))
        if mended:
            use_unbiased_variance(layer)
        module(ours)
        layer(theirs)
        return gap(module.running_var, layer.state_dict()["0._variance"])

    counts = (2, 32)
    return several(
        {
            f"n = {count}": (error(count, mended=False), error(count, mended=True))
            for count in counts
        }
    )


@trap(
    18,
    "statistics-names",
    torch="running_mean, running_var, num_batches_tracked",
    paddle="_mean, _variance; no counter",
    mend="rename; drop the counter with the reason",
    bound=0.0,
)
def statistics_names() -> Measured:
    """Names of BN's buffers."""
    module, layer = tn.BatchNorm2d(3), pn.BatchNorm2D(3)
    theirs = set(layer.state_dict())
    return Measured(
        len(set(module.state_dict()) - theirs),
        len(set(transfer(module, layer)) ^ theirs),
        "keys that fit nowhere",
    )


@trap(
    19,
    "instance-norm-tracked",
    torch="affine off; may track statistics and use them in evaluation",
    paddle="affine on, as `scale`; never tracks",
    mend="refused by the converter; a BatchNorm in evaluation computes it",
)
def instance_norm_tracked() -> Measured:
    """InstanceNorm with running statistics."""
    ours, theirs = in_both(normal(2, 3, 5, 5))
    module = tn.InstanceNorm2d(3, affine=True, track_running_stats=True)
    seed_weights(module, 19)
    module.eval()
    layer, instead = pn.InstanceNorm2D(3), pn.BatchNorm2D(3)
    layer.scale.set_value(module.weight.detach().numpy())
    layer.bias.set_value(module.bias.detach().numpy())
    carry(module, instead).eval()
    return Measured(gap(module(ours), layer(theirs)), gap(module(ours), instead(theirs)))


@trap(
    20,
    "group-norm-offset",
    torch="a stable variance",
    paddle="E[x²] − E[x]² on the CPU",
    mend="none in the network: the kernel; shift the input, or judge in float64",
    shows=1e-2,
    bound=1e-3,
)
def group_norm_offset() -> Measured:
    """GroupNorm of values far from zero."""
    offset = normal(2, 4, 8, 8) + np.float32(1000)
    ours, theirs = in_both(offset)
    module, layer = tn.GroupNorm(2, 4), pn.GroupNorm(2, 4)
    exact = module.double()(ours.double())
    return Measured(gap(exact, layer(theirs)), gap(exact, layer(theirs - 1000)))


@trap(
    21,
    "flat-shapes",
    torch="(8, 5, 5) and (4,)",
    paddle="(200,) and (1, 4); set_state_dict skips what does not fit",
    mend="reshape",
)
def flat_shapes() -> Measured:
    """Shapes of LayerNorm's weight and Bilinear's bias."""
    pairs: dict[str, tuple[Any, Any, list[np.ndarray]]] = {
        "LayerNorm": (tn.LayerNorm((8, 5, 5)), pn.LayerNorm((8, 5, 5)), [normal(2, 8, 5, 5)]),
        "Bilinear": (
            tn.Bilinear(3, 3, 4),
            pn.Bilinear(3, 3, 4),
            [normal(2, 3), normal(2, 3, seed=1)],
        ),
    }
    parts = {}
    for name, (module, layer, arrays) in pairs.items():
        seed_weights(module, 21)
        ours, theirs = zip(*map(in_both, arrays), strict=True)
        layer.set_state_dict(
            {k: paddle.to_tensor(v.numpy()) for k, v in module.state_dict().items()}
        )
        before = gap(module(*ours), layer(*theirs))
        parts[name] = before, gap(module(*ours), carry(module, layer)(*theirs))
    return several(parts)


@trap(
    22,
    "weight-norm",
    torch="weight_g [o, 1], one length an output; also as parametrizations.weight.original0",
    paddle="weight_g [o] along dim, and the weight is transposed",
    mend="dim=1, g flat, v transposed",
)
def weight_norm() -> Measured:
    """Weight norm of a Linear."""
    ours, theirs = in_both(normal(3, 4))
    module = tn.utils.parametrizations.weight_norm(tn.Linear(4, 4), dim=0)
    seed_weights(module, 22)

    def layer(dim: int) -> Any:
        return pn.utils.weight_norm(pn.Linear(4, 4), dim=dim)

    usual = layer(0)
    state = module.state_dict()
    prefix = "parametrizations.weight.original"
    usual.weight_g.set_value(state[f"{prefix}0"].flatten().numpy())
    usual.weight_v.set_value(state[f"{prefix}1"].numpy().T)
    usual.bias.set_value(state["bias"].numpy())
    return Measured(
        gap(module(ours), usual(theirs)), gap(module(ours), carry(module, layer(1))(theirs))
    )
