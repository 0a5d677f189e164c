"""What the installed builds can do."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings

import numpy as np
import paddle
from paddle import nn as pn
from torch import nn as tn

from parity.inputs import seed_weights
from parity.traps.tools import carry, default_dtype, gap, in_both, normal, raises
from parity.traps.trap import Measured, Trap, trap


@trap(
    57,
    "sync-batch-norm",
    torch="evaluates on the CPU; float32 as asked",
    paddle="no kernel on the CPU; TF32 by default on a GPU, until lately (not measured: no GPU)",
    mend="convert to SyncBN last, BatchNorm2D on the CPU; switch TF32 off and record it",
    source="PaddlePaddle/Paddle#75041",
)
def sync_batch_norm() -> Measured:
    """SyncBatchNorm on the CPU, TF32 on a GPU."""
    ours, theirs = in_both(normal(2, 3, 4, 4))
    module, layer, instead = tn.SyncBatchNorm(3), pn.SyncBatchNorm(3), pn.BatchNorm2D(3)
    seed_weights(module, 57)
    expected = module.eval()(ours)
    carry(module, layer).eval()
    instead.set_state_dict(layer.state_dict())
    instead.eval()
    before = math.inf if raises(lambda: layer(theirs)) else gap(expected, layer(theirs))
    return Measured(before, gap(expected, instead(theirs)), "Paddle's raises")


@trap(
    58,
    "numpy-scalars",
    torch="a number",
    paddle="a TypeError with numpy 2.4 and paddle 3.3.1",
    mend="numpy below 2.4, or .item()",
    bound=0.0,
)
def numpy_scalars() -> Measured:
    """int() and float() of a tensor of shape [1]."""
    one = paddle.to_tensor([3.0])
    note = f"1: raises; numpy {np.__version__}, paddle {paddle.__version__}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Measured(float(raises(lambda: float(one))), float(raises(one.item)), note)


# Prints whether a forked child that uses torch, then one that does not, ended within 3 seconds.
FORK = """
import os, time, torch
torch.set_num_threads(2)
x = torch.ones(1000, 1000)
x.exp().sum()
def ends(work):
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return 1
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return 0
print(ends(lambda: x.exp().sum()), ends(lambda: None))
"""


@trap(
    59,
    "torch-in-a-worker",
    torch="its own DataLoader keeps to one thread a worker",
    paddle="Paddle's workers do not: the first parallel operation waits for ever",
    mend="no torch in workers",
    bound=0.0,
)
def torch_in_a_worker() -> Measured:
    """Torch in a forked data worker, after torch ran in the parent."""
    command = [sys.executable, "-c", FORK]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, text=True)  # noqa: S603
    with_torch, without = (int(word) for word in done.stdout.split())
    return Measured(1.0 - with_torch, 1.0 - without, "1: the worker had not ended after 3 seconds")


@trap(
    60,
    "recurrent-cast",
    torch=".double() works",
    paddle="Layer.to(dtype='float64') raises in CPU builds",
    mend="build it under the default dtype float64, then load",
    bound=1e-12,
)
def recurrent_cast() -> Measured:
    """Casting a recurrent layer to float64."""
    ours, theirs = in_both(normal(2, 4, 3).astype(np.float64))
    module = tn.LSTM(3, 5, batch_first=True).double()
    with default_dtype("float64"):
        built = pn.LSTM(3, 5)
    failed = raises(lambda: pn.LSTM(3, 5).to(dtype="float64"))
    after = gap(module(ours)[0], carry(module, built)(theirs)[0])
    return Measured(math.inf if failed else 0.0, after, "the cast raises")


@trap(
    61,
    "layer-norm-epsilon-limit",
    torch="computes",
    paddle="raises at the first call; BatchNorm, GroupNorm, InstanceNorm take it",
    mend="a GroupNorm of one group, where the axes allow it",
)
def layer_norm_epsilon_limit() -> Measured:
    """LayerNorm with an epsilon above 1e-3."""
    ours, theirs = in_both(normal(2, 4, 3, 3))
    expected = tn.LayerNorm((4, 3, 3), eps=1e-2, elementwise_affine=False)(ours)
    layer = pn.LayerNorm((4, 3, 3), epsilon=1e-2)
    before = math.inf if raises(lambda: layer(theirs)) else gap(expected, layer(theirs))
    return Measured(
        before, gap(expected, pn.GroupNorm(1, 4, epsilon=1e-2)(theirs)), "Paddle's raises"
    )


onnx_installs = Trap(
    62,
    "onnx-installs",
    "exporting to ONNX",
    torch="installs nothing",
    paddle="paddle2onnx's optimiser step installs packages by itself",
    mend="switch that step off",
    reason="it would reach for the network",
)
