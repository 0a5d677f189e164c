"""Torch's running variance in Paddle: what evaluation shows of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
import torch
from pairs import error, image, pair

from stdc_port.training.variance import use_unbiased_variance


@pytest.mark.parametrize("unbiased", [True, False])
def test_evaluation_after_training_at_batch_4(unbiased: bool) -> None:
    """Three batches of 4 through both networks in training, then one picture in evaluation."""
    theirs, ours = pair("stdc1-seg")
    theirs.train()
    ours.train()
    if unbiased:
        assert use_unbiased_variance(ours) > 40
    with torch.no_grad(), paddle.no_grad():
        for seed in range(3):
            batch = image(64, 64, batch=4, seed=seed)
            theirs(torch.from_numpy(batch))
            ours(paddle.to_tensor(batch))
        theirs.eval()
        ours.eval()
        picture = image(64, 64, batch=1, seed=9)
        wrong = error(ours(paddle.to_tensor(picture)), theirs(torch.from_numpy(picture)))
    if unbiased:
        assert wrong < 1e-6
    else:
        assert wrong > 1e-2


def test_a_frozen_norm_and_one_value_a_channel_stay() -> None:
    layer: Any = paddle.nn.BatchNorm2D(3)
    network = paddle.nn.Sequential(layer)
    use_unbiased_variance(network)
    layer._variance.set_value(np.array([1.0, 2.0, 3.0], np.float32))
    network(paddle.ones([1, 3, 1, 1]))
    layer.eval()
    network(paddle.ones([4, 3, 2, 2]))
    assert layer._variance.tolist() == [1.0, 2.0, 3.0]
