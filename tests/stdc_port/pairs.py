"""Pairs of a torch and a Paddle network with equal weights, in double precision."""

import zlib

import numpy as np
import paddle
import torch
from paddle_building import blank

from converters import convert_state_dict
from stdc_port import torch_nets


def randomise(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every tensor of a network random values of its own; BN looks trained."""
    with torch.no_grad():
        for key, tensor in [*network.named_parameters(), *network.named_buffers()]:
            random = np.random.default_rng([seed, zlib.crc32(key.encode())])
            if key.endswith("num_batches_tracked"):
                continue
            if tensor.ndim > 1:
                values = random.standard_normal(tensor.shape) * (2 / tensor[0].numel()) ** 0.5
            elif key.endswith("running_var"):
                values = random.uniform(0.5, 2.0, tensor.shape)
            elif key.endswith("weight"):
                values = random.uniform(0.5, 1.5, tensor.shape) * random.choice(
                    [-1, 1], tensor.shape
                )
            else:
                values = random.normal(0, 0.3, tensor.shape)
            tensor.copy_(torch.from_numpy(np.asarray(values)))
    return network


def pair(arch: str, **options: object) -> tuple[torch.nn.Module, paddle.nn.Layer]:
    """Return both networks of a name in evaluation mode, float64, with equal weights."""
    theirs = randomise(torch_nets.build(arch, **options).double()).eval()
    ours = blank(arch, dtype="float64", **options)
    weights = convert_state_dict(theirs.state_dict(), ours)
    assert ours.set_state_dict(weights) == ([], [])
    ours.eval()
    return theirs, ours


def image(height: int, width: int, *, batch: int = 2, seed: int = 1) -> np.ndarray:
    """Return a random batch (N, 3, height, width) in float64."""
    return np.random.default_rng(seed).standard_normal((batch, 3, height, width))


def error(ours: object, theirs: torch.Tensor) -> float:
    """Return the largest difference relative to the largest value."""
    a, b = theirs.detach().numpy(), np.asarray(ours.numpy())
    assert a.shape == b.shape
    assert np.isfinite(a).all()
    assert np.abs(a).max() > 0
    return float(np.abs(a - b).max() / np.abs(a).max())
