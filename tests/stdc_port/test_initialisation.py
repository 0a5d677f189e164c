"""What a fresh network starts from, in both frameworks."""

import math

import numpy as np
import paddle
import pytest
import torch

from stdc_port import paddle_nets, spec, torch_nets

BUILDS = {"torch": torch_nets.build, "paddle": paddle_nets.build}


def weights(network) -> dict[str, np.ndarray]:
    # Paddle counts the running statistics among the parameters, untrained ones.
    return {
        key: value.detach().numpy()
        for key, value in network.named_parameters()
        if not key.endswith(("_mean", "_variance"))
    }


@pytest.fixture(scope="module", params=sorted(BUILDS))
def fresh(request) -> dict[str, np.ndarray]:
    torch.manual_seed(5)
    paddle.seed(5)
    return weights(BUILDS[request.param]("stdc1-seg", variant="paddleseg"))


def test_spread_of_convolutions(fresh):
    for key, value in fresh.items():
        if value.ndim != 4 or value.size < 4000:
            continue
        expected = (
            spec.fan_out_std(value.shape) if "backbone" in key else (spec.fan_in_std(value.shape))
        )
        assert math.isclose(value.std(), expected, rel_tol=0.08), key
        assert abs(value.mean()) < 5 * expected / math.sqrt(value.size), key


def test_norms_biases_and_linears(fresh):
    for key, value in fresh.items():
        if key.endswith("bias"):
            assert not value.any(), key
        elif value.ndim == 1:
            assert (value == 1).all(), key
        elif value.ndim == 2:
            assert math.isclose(value.std(), 0.001, rel_tol=0.02), key
