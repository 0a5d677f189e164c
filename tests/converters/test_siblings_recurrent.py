"""Recurrent layers without biases, in a network that is not at hand: Paddle's layers hold zeros."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
import torch

from converters import convert_file, read_checkpoint

KINDS = {"LSTM": "LSTM", "GRU": "GRU", "RNN": "SimpleRNN"}


class Network(paddle.nn.Layer):
    def __init__(self, kind: str, direction: str) -> None:
        super().__init__()
        layer = getattr(paddle.nn, KINDS[kind])
        self.rnn = layer(3, 4, num_layers=2, direction=direction, time_major=True)


@pytest.mark.parametrize("direction", ["forward", "bidirect"])
@pytest.mark.parametrize("kind", KINDS)
def test_without_biases_paddles_get_zeros_and_compute_the_same(
    kind: str, direction: str, tmp_path: Path
) -> None:
    torch.manual_seed(len(kind))
    both = direction == "bidirect"
    ours = getattr(torch.nn, kind)(3, 4, num_layers=2, bias=False, bidirectional=both)
    torch.save({f"rnn.{key}": one for key, one in ours.state_dict().items()}, tmp_path / "a.pth")
    report = convert_file(tmp_path / "a.pth")
    assert report.problems == ()
    assert report.counts["missing"] == report.counts["rename"] == (8 if both else 4)
    written = read_checkpoint(tmp_path / "a.pdparams")
    biases = [one.load() for key, one in written.items() if ".bias_" in key]
    assert biases
    assert not any(map(np.any, biases))
    theirs = Network(kind, direction)
    assert theirs.set_state_dict(paddle.load(str(tmp_path / "a.pdparams"))) == ([], [])
    values = torch.randn(5, 2, 3)
    wanted = ours(values)[0].detach().numpy()
    found = theirs.rnn(paddle.to_tensor(values.numpy()))[0].numpy()
    assert np.abs(wanted - found).max() < 1e-6


def test_with_biases_none_is_made_up(tmp_path: Path) -> None:
    layer = torch.nn.GRU(3, 4)
    torch.save({f"rnn.{key}": one for key, one in layer.state_dict().items()}, tmp_path / "a.pth")
    assert "missing" not in convert_file(tmp_path / "a.pth").counts
