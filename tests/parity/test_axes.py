"""Ports that keep another order of axes inside; and transpositions that are faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
import pytest
import torch
from function_toys import Paddle, Torch

from parity import State, check_parity
from parity.axes import order_of
from parity.carry import Weights
from parity.dump import diff_dumps, write_dump

if TYPE_CHECKING:
    from pathlib import Path

#: Batch and sequence are of one length: a wrong order keeps every shape.
X = np.random.default_rng(2).standard_normal((4, 4, 6)).astype(np.float32)
IMAGE = np.random.default_rng(3).standard_normal((2, 3, 6, 6)).astype(np.float32)


def check(ours: Any, theirs: Any, x: Any = X, **options: Any) -> Any:
    torch.manual_seed(1)
    return check_parity(ours, theirs, x, **options)


def torch_encoder() -> Any:
    """Batch first throughout."""
    torch.manual_seed(4)
    return Torch(
        lambda m, x: m.out(m.act(m.first(x))).mean(1),
        first=torch.nn.Linear(6, 5), act=torch.nn.Tanh(), out=torch.nn.Linear(5, 3),
    )  # fmt: skip


def paddle_encoder(body: Any, **more: Any) -> Any:
    layers = {"first": paddle.nn.Linear(6, 5), "act": paddle.nn.Tanh(),
              "out": paddle.nn.Linear(5, 3), **more}  # fmt: skip
    return Paddle(body, **layers)


def sequence_first(m: Any, x: Any) -> Any:
    return m.out(m.act(m.first(x.transpose([1, 0, 2])))).mean(0)


@pytest.mark.parametrize("x", [X, X[:, :3]])
def test_sequences_first_inside_are_compared_so(x: np.ndarray) -> None:
    result = check(torch_encoder(), paddle_encoder(sequence_first), x,
                   checks=("forward", "backward"), isolation="always")  # fmt: skip
    assert result, result.failures
    assert not result.faults
    found = {layer.name: layer for layer in result.layers if layer.phase == "forward"}
    assert [found[name].state for name in ("first", "act", "out", "")] == [State.MATCH] * 4
    assert found["act"].note == "compared with axes permuted (1, 0, 2)"
    assert found["act"].own64 < 1e-15
    assert not found[""].note


def test_dumps_are_compared_so_too(tmp_path: Path) -> None:
    ours = torch_encoder()
    write_dump(ours, X, tmp_path / "a.npz", checks=("backward",))
    for body, right in ((sequence_first, True), (never_back, False)):
        options = {"weights": Weights.of(ours), "on": tmp_path / "a.npz", "force": True}
        write_dump(paddle_encoder(body), X, tmp_path / "b.npz", checks=("backward",), **options)
        result = diff_dumps(tmp_path / "a.npz", tmp_path / "b.npz")
        assert bool(result) is right, result.failures
        assert any("(1, 0, 2)" in layer.note for layer in result.layers) is right


def test_channels_last_inside_are_compared_so() -> None:
    ours = Torch(
        lambda m, x: m.head(m.act(m.norm(m.conv(x))).mean((2, 3))),
        conv=torch.nn.Conv2d(3, 6, 3), norm=torch.nn.BatchNorm2d(6), act=torch.nn.ReLU(),
        head=torch.nn.Linear(6, 2),
    )  # fmt: skip
    theirs = Paddle(
        lambda m, x: m.head(m.act(m.norm(m.conv(x.transpose([0, 2, 3, 1])))).mean([1, 2])),
        conv=paddle.nn.Conv2D(3, 6, 3, data_format="NHWC"),
        norm=paddle.nn.BatchNorm2D(6, data_format="NHWC"), act=paddle.nn.ReLU(),
        head=paddle.nn.Linear(6, 2),
    )  # fmt: skip
    result = check(ours, theirs, IMAGE)
    assert result, result.failures
    notes = {layer.name: layer.note for layer in result.layers}
    assert notes["conv"] == notes["act"] == "compared with axes permuted (0, 3, 1, 2)"
    assert not notes["head"]


def test_a_recurrent_layer_with_time_first() -> None:
    ours = Torch(lambda m, x: m.out(m.rnn(x)[0]), rnn=torch.nn.LSTM(6, 5, batch_first=True),
                 out=torch.nn.Linear(5, 3))  # fmt: skip
    theirs = Paddle(
        lambda m, x: m.out(m.rnn(x.transpose([1, 0, 2]))[0].transpose([1, 0, 2])),
        rnn=paddle.nn.LSTM(6, 5, time_major=True), out=paddle.nn.Linear(5, 3),
    )  # fmt: skip
    result = check(ours, theirs)
    assert result, result.failures
    assert "(1, 0, 2)" in next(layer.note for layer in result.layers if layer.name == "rnn")


def never_back(m: Any, x: Any) -> Any:
    return m.out(m.act(m.first(x.transpose([1, 0, 2])))).mean(1)


def wrong_mean(m: Any, x: Any) -> Any:
    return m.out(m.act(m.first(x))).mean(0)


def crossed(m: Any, x: Any) -> Any:
    return m.out(m.act(m.first(x)).transpose([1, 0, 2])).mean(1)


@pytest.mark.parametrize("body", [never_back, wrong_mean, crossed])
def test_a_wrong_axis_is_a_fault(body: Any) -> None:
    result = check(torch_encoder(), paddle_encoder(body))
    assert not result
    assert result.first_divergence is not None
    assert result.layers[-1].state is State.MISMATCH
    assert not any("permuted" in layer.note for layer in result.layers)


def test_a_fault_beside_another_order_is_found() -> None:
    def body(m: Any, x: Any) -> Any:
        return m.out(m.act(m.first(x.transpose([1, 0, 2])))).mean(0)

    wrong = paddle_encoder(body, act=paddle.nn.Softsign())
    result = check(torch_encoder(), wrong)
    assert not result
    assert result.layers[-1].state is State.MISMATCH


def test_an_order_inside_a_block_that_agrees_counts_although_the_network_does_not() -> None:
    def ours(m: Any, x: Any) -> Any:
        return m.act(m.block(x))

    result = check(
        Torch(ours, block=torch_encoder(), act=torch.nn.Tanh()),
        Paddle(ours, block=paddle_encoder(sequence_first), act=paddle.nn.Softsign()),
    )
    assert not result
    assert {layer.name for layer in result.layers if not layer.state.passes} == {"act", ""}
    assert [layer.name for layer in result.faulty] == ["act"]


def test_what_agrees_in_no_order_or_as_it_stands_has_none() -> None:
    x = np.random.default_rng(5).standard_normal((3, 3, 4))
    assert order_of(x, x.transpose(2, 0, 1), 1e-11) == (1, 2, 0)
    assert order_of(x, x, 1e-11) is None
    assert order_of(x, x.transpose(1, 0, 2) * 1.001, 1e-11) is None
    assert order_of(x, x.reshape(3, 12), 1e-11) is None
    assert order_of(x[:, :, 0] + x[:, :, 0].T, x[:, :, 0] + x[:, :, 0].T, 1e-11) is None
