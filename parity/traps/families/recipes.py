"""STDC ports as they are found in public: losses and what is trained."""

from __future__ import annotations

import numpy as np
import paddle
import torch
from paddle import nn as pn
from torch import nn as tn
from torch.nn.modules.batchnorm import _BatchNorm

from parity.traps.tools import gap, in_both, normal
from parity.traps.trap import Measured, trap
from stdc_port import spec, torch_nets
from stdc_port.paddle_nets.losses import DetailLoss, OhemCrossEntropy
from stdc_port.torch_nets.losses import DetailLoss as TorchDetailLoss
from stdc_port.torch_nets.losses import OhemCrossEntropy as TorchOhem
from stdc_port.training.schedule import Schedule


def _paddleseg_ohem(logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
    # As PaddleSeg's OhemCrossEntropyLoss: 10,000 pixels of the lowest probability below 0.7.
    every = (
        paddle.nn.functional.softmax(logits, 1)
        .transpose([0, 2, 3, 1])
        .reshape([-1, logits.shape[1]])
    )
    flat = labels.flatten()
    chosen = paddle.take_along_axis(every, flat.unsqueeze(1), 1).squeeze(1)
    place = min(10_000, chosen.size) - 1
    threshold = max(chosen.sort()[place].item(), 0.7)
    kept = (chosen < threshold).astype("float32")
    return (-chosen.log() * kept).mean() / (kept.mean() + 1e-5)


@trap(
    10,
    "ohem-rule",
    torch="the authors: loss above 0.357, at least N·H·W/16",
    paddle="PaddleSeg: probability below 0.7, at least 10,000, and an epsilon",
    mend="the authors' formula, its index clamped",
)
def ohem_rule() -> Measured:
    """Which hard pixels count."""
    logits = in_both(normal(1, 19, 64, 64) * 3)
    labels = in_both(np.random.default_rng(10).integers(0, 19, (1, 64, 64)))
    expected = TorchOhem()(logits[0], labels[0])
    usual = _paddleseg_ohem(logits[1], labels[1])
    note = f"{expected.item():.3f} against {usual.item():.3f} on 4096 pixels"
    return Measured(
        gap(expected, usual), gap(expected, OhemCrossEntropy()(logits[1], labels[1])), note
    )


@trap(
    6,
    "fuse-kernel-random",
    torch="0.6, 0.3, 0.1",
    paddle="create_parameter without an initialiser: random",
    mend="default_initializer=Assign([0.6, 0.3, 0.1])",
)
def fuse_kernel_random() -> Measured:
    """The kernel that mixes the edges of three scales."""
    labels = np.kron(np.random.default_rng(6).integers(0, 3, (1, 8, 8)), np.ones((1, 8, 8)))
    plane = labels.astype(np.int64)
    right = TorchDetailLoss().edges(torch.from_numpy(plane)).mean().item()
    loss = DetailLoss()
    mended = loss.edges(paddle.to_tensor(plane)).mean().item()
    shares = []
    for _ in range(20):
        loss.fuse_kernel = loss.create_parameter((1, 3, 1, 1))
        shares.append(loss.edges(paddle.to_tensor(plane)).mean().item())
    note = f"share of edge pixels {min(shares):.3f} to {max(shares):.3f} for {right:.3f}, 20 draws"
    return Measured(max(abs(share - right) for share in shares), abs(mended - right), note)


@trap(
    7,
    "fuse-kernel-decays",
    torch="the authors: 0.6, 0.3, 0.1 shrink all through the training",
    paddle="MMSegmentation: a constant",
    mend="choose, and say so; as a constant: stop_gradient",
    bound=0.0,
)
def fuse_kernel_decays() -> Measured:
    """That kernel has no gradient, yet sits in a decayed group."""
    schedule = Schedule(base=0.01, iterations=60_000)
    kernel, velocity = np.array(spec.FUSE_WEIGHTS), np.zeros(3)
    for iteration in range(schedule.iterations):
        velocity = 0.9 * velocity + 5e-4 * kernel
        kernel = kernel - schedule.rate(iteration) * velocity
    layer = pn.Layer()
    constant = layer.create_parameter(
        (3,), default_initializer=pn.initializer.Assign([0.6, 0.3, 0.1])
    )
    constant.stop_gradient = True
    before = constant.numpy()
    optimizer = paddle.optimizer.Momentum(0.1, parameters=[constant], weight_decay=5e-4)
    optimizer.step()
    ends = ", ".join(f"{value:.3f}" for value in kernel)
    return Measured(
        float(np.max(np.abs(kernel - spec.FUSE_WEIGHTS))),
        gap(before, constant),
        f"simulated over the authors' 60,000 iterations it ends at {ends}",
    )


@trap(
    8,
    "norms-in-no-group",
    torch="the backbone's plain BNs never reach the optimizer",
    paddle="with BN in ABN's place they are trained",
    mend="a report of the groups; a switch in the recipe",
    bound=0.0,
)
def norms_in_no_group() -> Measured:
    """The authors' parameter groups ask for their ABN class."""
    network = torch_nets.build("stdc1-seg")
    every = {id(p): p for p in network.parameters()}

    def left_over(norms: type | tuple[type, ...]) -> list[tn.Parameter]:
        kinds = (tn.Conv2d, tn.Linear, *(norms if isinstance(norms, tuple) else (norms,)))
        reached = [m for m in network.modules() if isinstance(m, kinds)]
        taken = {id(p) for m in reached for p in m.parameters(recurse=False)}
        return [p for key, p in every.items() if key not in taken]

    heads = next(type(m) for m in network.modules() if "ABN" in type(m).__name__)
    left = left_over(heads)
    note = f"tensors in no group, {sum(p.numel() for p in left):,} numbers"
    return Measured(len(left), len(left_over((heads, _BatchNorm))), note)


@trap(
    9,
    "unused-heads",
    torch="the authors run all four in training",
    paddle="PaddleSeg runs the one that is used",
    mend="run them, or leave their statistics out of the comparison",
)
def unused_heads() -> Measured:
    """The detail heads that no loss uses."""
    ours, theirs = in_both(normal(4, 3, 5, 5))
    module = tn.BatchNorm2d(3)
    module(ours)
    layer = pn.BatchNorm2D(3)
    before = gap(module.running_mean, layer.state_dict()["_mean"])
    layer(theirs)
    return Measured(
        before, gap(module.running_mean, layer.state_dict()["_mean"]), "running mean after a step"
    )
