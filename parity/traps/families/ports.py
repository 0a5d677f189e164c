"""STDC ports as they are found in public: layers, weights and names."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import torch
from paddle import nn as pn
from torch import nn as tn

from converters import convert_state_dict
from converters.layouts.names import PADDLESEG
from parity.traps.tools import gap, in_both, normal
from parity.traps.trap import Measured, several, trap
from stdc_port import paddle_nets, spec, torch_nets


@trap(
    1,
    "pool-exclusive",
    torch="AvgPool2d counts the padding",
    paddle="AvgPool2D leaves it out of the mean",
    mend="AvgPool2D(…, exclusive=False)",
    source="PaddlePaddle/Paddle#36920",
)
def pool_exclusive() -> Measured:
    """Average pooling at a padded border."""
    ours, theirs = in_both(normal(1, 8, 16, 16))
    expected = tn.AvgPool2d(3, 2, 1)(ours)
    return Measured(
        gap(expected, pn.AvgPool2D(3, 2, 1)(theirs)),
        gap(expected, pn.AvgPool2D(3, 2, 1, exclusive=False)(theirs)),
    )


@trap(
    2,
    "abn-scale",
    torch="the authors' ABN multiplies by |weight| + 1e-5",
    paddle="BatchNorm multiplies by weight",
    mend="fold at conversion: weight = |weight| + 1e-5",
    source="mapillary/inplace_abn#92, #180",
    shows=1e-6,
    bound=1e-6,
)
def abn_scale() -> Measured:
    """The scale of an in-place ABN."""
    weight, image = normal(64), normal(2, 64, 6, 6, seed=1)
    positive = np.abs(weight) + 0.1

    def error(weight: np.ndarray, loaded: np.ndarray) -> float:
        ours, theirs = in_both(image)
        scale = torch.from_numpy(weight).abs() + spec.BN_EPSILON
        zero, one = torch.zeros(64), torch.ones(64)
        expected = torch.nn.functional.batch_norm(ours, zero, one, scale, zero)
        layer = pn.BatchNorm2D(64)
        layer.weight.set_value(loaded)
        layer.eval()
        return gap(expected, layer(theirs))

    def folded(weight: np.ndarray) -> np.ndarray:
        return (np.abs(weight.astype(np.float64)) + spec.BN_EPSILON).astype(np.float32)

    return several(
        {
            "negative weights": (error(weight, weight), error(weight, folded(weight))),
            "all positive": (error(positive, positive), error(positive, folded(positive))),
        }
    )


@trap(
    3,
    "aliases",
    torch="one tensor under two names",
    paddle="the usual script writes both",
    mend="recognise them by shared storage and equal bits",
    shows=0.1,
    bound=0.0,
)
def aliases() -> Measured:
    """x2 … x32 are second names of the backbone's layers."""
    state, layer = torch_nets.build("stdc1-seg").state_dict(), paddle_nets.build("stdc1-seg")
    least = sum(value.numpy().nbytes for value in layer.state_dict().values())
    usual = sum(v.nbytes for k, v in state.items() if not k.endswith("num_batches_tracked"))
    ours = sum(value.nbytes for value in convert_state_dict(state, layer).values())
    note = (
        f"share written beyond the network's own tensors: {usual / 1e6:.1f} of {least / 1e6:.1f} MB"
    )
    return Measured(usual / least - 1, ours / least - 1, note)


@trap(
    4,
    "auxiliary-heads",
    torch="conv_out16 sees the map of stride 8, conv_out32 that of stride 16",
    paddle="PaddleSeg's conv_out16 sees that of stride 16",
    mend="map by input: conv_out16 → conv_out8, conv_out32 → conv_out16",
)
def auxiliary_heads() -> Measured:
    """conv_out16 and conv_out32 have each other's shapes."""
    maps = [in_both(normal(1, 16, 4, 4, seed=seed)) for seed in (1, 2)]
    ours = {name: tn.Conv2d(16, 4, 1, bias=False) for name in ("conv_out16", "conv_out32")}
    theirs = {name: pn.Conv2D(16, 4, 1, bias_attr=False) for name in ("conv_out8", "conv_out16")}

    def error(names: dict[str, str]) -> float:
        for name, target in names.items():
            theirs[target].weight.set_value(ours[name].weight.detach().numpy())
        gaps = [
            gap(ours[one](seen[0]), theirs[other](seen[1]))
            for one, other, seen in zip(ours, theirs, maps, strict=True)
        ]
        return gaps[1]

    network = spec.resolve("stdc1-seg", variant="paddleseg")
    by_name = {name: name for name in ours if name in theirs}
    by_table = {
        name: PADDLESEG.path(f"{name}.conv_out", network).partition(".")[0] for name in ours
    }
    return Measured(error(by_name), error(by_table), "output of the head on the map of stride 16")


@trap(
    5,
    "bias-created",
    torch="no bias",
    paddle="bias_attr=None means a bias, 0 at first, trained from then on",
    mend="bias_attr=False",
)
def bias_created() -> Measured:
    """A layer without bias."""
    ours, theirs = in_both(normal(2, 3, 8, 8))
    module = tn.Conv2d(3, 4, 3, bias=False)

    def error(bias: Any) -> float:
        layer = pn.Conv2D(3, 4, 3, bias_attr=bias)
        layer.weight.set_value(module.weight.detach().numpy())
        clone = tn.Conv2d(3, 4, 3, bias=False)
        clone.load_state_dict(module.state_dict())
        for network, image, optimizer in (
            (clone, ours, torch.optim.SGD(clone.parameters(), 0.1)),
            (layer, theirs, paddle.optimizer.SGD(0.1, parameters=layer.parameters())),
        ):
            (network(image) + 1.0).pow(2).mean().backward()
            optimizer.step()
        return gap(clone(ours), layer(theirs))

    return Measured(error(None), error(False), "output after one step of SGD")
