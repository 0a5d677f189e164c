"""The backward check on networks that share, pack, split or freeze what they learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
import torch
from backward_toys import backward, checked, gradients
from paddle_building import blank

from parity import State
from parity.inputs import random_input, seed_weights
from stdc_port import torch_nets
from stdc_port.spec import ARCHS


def test_the_scale_of_an_inplace_abn_takes_the_sign_of_its_weight() -> None:
    """The converter folds |w| + eps; by the chain rule torch's gradient has the sign of w."""
    ours = torch_nets.build("stdc1-seg", num_classes=3)
    seed_weights(ours, 5)
    signs = np.sign(ours.conv_out.conv.bn.weight.detach().numpy())
    assert {-1.0, 1.0} == set(signs)
    result = checked(ours, blank("stdc1-seg", num_classes=3), random_input((1, 3, 64, 64)))
    assert result, result.failures
    assert gradients(result)["conv_out.conv.bn.weight"].error64 < 1e-12


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Embedding(5, 4)
        self.last = torch.nn.Linear(4, 5, bias=False)
        self.last.weight = self.first.weight

    def forward(self, x: Any) -> Any:
        return self.last(torch.tanh(self.first(x)))


class PaddleUntied(paddle.nn.Layer):
    """The same values twice: the sum of both gradients is the tied one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = paddle.nn.Embedding(5, 4, sparse=True)
        self.last = paddle.nn.Linear(4, 5, bias_attr=False)

    def forward(self, x: Any) -> Any:
        return self.last(paddle.tanh(self.first(x)))


def test_tied_weights_and_a_sparse_embedding() -> None:
    result = checked(Tied(), PaddleUntied(), np.array([[1, 1, 4], [0, 1, 2]]))
    assert result, result.failures
    assert set(gradients(result)) == {"first.weight"}


class Attention(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attend = torch.nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.attend(x, x, x, need_weights=False)[0]


class PaddleAttention(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.attend = paddle.nn.MultiHeadAttention(8, 2)

    def forward(self, x: Any) -> Any:
        return self.attend(x, x, x)


def test_the_gradient_of_a_packed_weight_is_that_of_its_parts() -> None:
    x = np.random.default_rng(1).standard_normal((2, 5, 8)).astype(np.float32)
    result = checked(Attention(), PaddleAttention(), x)
    assert result, result.failures
    assert gradients(result)["attend.in_proj_weight"].shape == (24, 8)


class Biased(torch.nn.Module):
    """The keys' bias changes no attention: its gradient is zero but for rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return (self.query(x) @ self.key(x).transpose(1, 2)).softmax(-1)


class PaddleBiased(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = paddle.nn.Linear(4, 4), paddle.nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        scores = self.query(x) @ self.key(x).transpose([0, 2, 1])
        return paddle.nn.functional.softmax(scores, -1)


def test_a_gradient_that_is_zero_but_for_rounding_is_no_difference() -> None:
    x = np.random.default_rng(1).standard_normal((3, 6, 4)).astype(np.float32)
    result = checked(Biased(), PaddleBiased(), x)
    assert result, result.failures
    assert "zero but for rounding" in gradients(result)["key.bias"].reason


def test_in_place_activations_and_modules_that_return_their_input() -> None:
    ours = torch.nn.Sequential(
        torch.nn.Linear(4, 4), torch.nn.ReLU(inplace=True), torch.nn.Identity(),
        torch.nn.Dropout(0.5), torch.nn.Linear(4, 2),
    )  # fmt: skip
    theirs = paddle.nn.Sequential(
        paddle.nn.Linear(4, 4), paddle.nn.ReLU(), paddle.nn.Identity(),
        paddle.nn.Dropout(0.5), paddle.nn.Linear(4, 2),
    )  # fmt: skip
    x = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    result = checked(ours, theirs, x)
    assert result, result.failures
    assert len(backward(result)) == 6


def test_recurrent_networks() -> None:
    class Tagger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.LSTM(4, 5, 2, dropout=0.5, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.rnn(x)[0]

    class PaddleTagger(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = paddle.nn.LSTM(4, 5, 2, dropout=0.5)

        def forward(self, x: Any) -> Any:
            return self.rnn(x)[0]

    x = np.random.default_rng(3).standard_normal((2, 6, 4)).astype(np.float32)
    result = checked(Tagger(), PaddleTagger(), x)
    assert result, result.failures
    assert len(result.gradients) == 9


@pytest.mark.parametrize("arch", ARCHS)
def test_the_stdc_networks(arch: str) -> None:
    ours = torch_nets.build(arch, num_classes=7)
    seed_weights(ours, 4)
    theirs = blank(arch, num_classes=7)
    result = checked(ours, theirs, random_input((1, 3, 99, 150)))
    assert result, result.failures[:5]
    assert max(tensor.error64 for tensor in result.gradients) < 1e-13
    assert max(layer.error64 for layer in backward(result).values()) < 1e-13
    floors = {floor.operation for layer in result.layers for floor in layer.floors}
    assert "average pooling's gradient" in floors


def test_values_on_a_relus_kink_are_the_reason_that_is_given() -> None:
    """One value in front of the ReLU is zero in torch, and above zero by rounding in paddle."""

    class Sum(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.act = torch.nn.Linear(3, 2, bias=False), torch.nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.act((self.fc(x) + 3e5) - 3e5) * 2

    class PaddleSum(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.fc = paddle.nn.Linear(3, 2, bias_attr=False)
            self.act = paddle.nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.act(self.fc(x) + (3e5 - 3e5)) * 2

    ours = Sum()
    with torch.no_grad():
        ours.fc.weight.copy_(torch.tensor([[1e-3, 0, 0], [1, 1, 1]]))
    x = np.array([[1.0, 2.0, 3.0]], np.float32)
    result = checked(ours, PaddleSum(), x, tol64=1e-9)
    assert result, result.failures
    found = gradients(result)["fc.weight"]
    assert found.state is State.ROUNDING
    assert found.error32 > 0.5
    assert "1 near-zero value behind it" in found.reason
    assert "in torch itself" in found.reason
    assert "1 near-zero value behind it" in backward(result)["fc", 0].reason
    assert "near-zero" not in backward(result)["act", 0].reason
