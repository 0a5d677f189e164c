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
