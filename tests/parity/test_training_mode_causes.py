"""Causes that act in training mode alone: in a forward, or in the loss of a training."""

from dataclasses import replace

import paddle
import paddle.nn.functional as PF
import pytest
import torch
from training_toys import IMAGES, STEPS, PaddleNet, Recipe, TorchNet, told, training

from parity import check_parity

SGD = Recipe()


class TorchTwo(TorchNet):
    """Returns something else in training."""

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x))).mean((2, 3))
        out = self.head(torch.tanh(self.hidden(x)))
        return out * 2 + 1 if self.training else out


def port(last):
    class Port(PaddleNet):
        def forward(self, x):
            x = PF.relu(self.bn(self.conv(x))).mean((2, 3))
            out = self.head(paddle.tanh(self.hidden(x)))
            return last(out) if self.training else out

    return Port()


PORTS = {
    "another factor": ("scale-different", lambda out: out * 3 + 1),
    "an activation": ("function-added", lambda out: PF.tanh(out) * 2 + 1),
}


@pytest.mark.parametrize("name", PORTS)
def test_a_forward_that_differs_in_training_alone_is_named(name):
    cause, last = PORTS[name]
    found, result = told(SGD, SGD, port(last), TorchTwo())
    assert result.first_divergence is None
    assert found == [(cause, "")]


def test_the_same_in_training_has_no_diagnosis():
    found, result = told(SGD, SGD, port(lambda out: out * 2 + 1), TorchTwo())
    assert result
    assert found == []


class TorchDropped(TorchNet):
    def __init__(self, rate=0.5) -> None:
        super().__init__()
        self.dropout = torch.nn.Dropout(rate)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x))).mean((2, 3))
        return self.head(self.dropout(torch.tanh(self.hidden(x))))


class PaddleDropped(PaddleNet):
    def __init__(self, rate=0.5, **options) -> None:
        super().__init__()
        self.dropout = paddle.nn.Dropout(rate, **options)

    def forward(self, x):
        x = PF.relu(self.bn(self.conv(x))).mean((2, 3))
        return self.head(self.dropout(paddle.tanh(self.hidden(x))))


class Still(PaddleDropped):
    def train(self):
        super().train()
        self.dropout.eval()


DROPOUTS = {
    "rate": ("dropout-rate", lambda: PaddleDropped(0.2), "rate 0.2"),
    "off": ("dropout-off", Still, "everything"),
    "rate 0": ("dropout-off", lambda: PaddleDropped(0.0), "everything"),
}


@pytest.mark.parametrize("name", DROPOUTS)
def test_a_dropout_of_another_rate_is_named(name):
    cause, made, said = DROPOUTS[name]
    found, result = told(SGD, SGD, made(), TorchDropped())
    assert found == [(cause, "dropout")]
    assert said in result.diagnosis[0].evidence


def test_a_dropout_where_torch_has_none_is_named():
    found, _ = told(SGD, SGD, PaddleDropped(), TorchDropped(0.0))
    assert found == [("dropout-on", "dropout")]


def test_a_dropout_mode_is_told_from_a_rate():
    found, _ = told(SGD, SGD, PaddleDropped(mode="downscale_in_infer"), TorchDropped())
    assert [cause for cause, _ in found] == ["dropout-mode"]


def test_the_same_dropout_has_no_diagnosis():
    found, result = told(SGD, SGD, PaddleDropped(), TorchDropped())
    assert result
    assert found == []


def trained(paddle_loss, torch_loss=torch.nn.functional.cross_entropy):
    torch.manual_seed(1)
    plan = replace(training(SGD, SGD), torch_loss=torch_loss, paddle_loss=paddle_loss)
    result = check_parity(
        TorchNet(),
        PaddleNet(),
        IMAGES[0],
        checks=["train"],
        training=plan,
        steps=STEPS,
        precision="float64",
    )
    return [(one.cause, one.layer) for one in result.diagnosis]


def test_the_loss_of_a_training_is_named():
    assert trained(lambda x, y: PF.cross_entropy(x, y, reduction="sum")) == [("loss-reduction", "")]


def test_a_loss_that_is_a_layer_is_named():
    ours = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    assert trained(paddle.nn.CrossEntropyLoss(), ours) == [("label-smoothing-dropped", "")]


def test_a_forward_that_differs_is_not_called_a_loss():
    found, _ = told(SGD, SGD, port(lambda out: out.detach() * 0.5 + 1), TorchTwo())
    assert not any(cause.startswith(("loss", "label", "class")) for cause, _ in found)
