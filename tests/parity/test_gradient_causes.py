"""Causes of gradients that differ while the forward pass agrees."""

import paddle
import paddle.nn.functional as PF
import pytest
import torch
from paddle import nn as paddle_nn
from torch import nn
from training_toys import IMAGES, PaddleNet, Recipe, TorchNet, told

from parity import check_parity

SGD = Recipe()


def mixed(net, x):
    return PF.relu(net.bn(net.conv(x))).mean((2, 3))


class Before(PaddleNet):
    """Detached before a layer."""

    def forward(self, x):
        return self.head(paddle.tanh(self.hidden(mixed(self, x).detach())))


class After(PaddleNet):
    """Detached behind a layer."""

    def forward(self, x):
        return self.head(paddle.tanh(self.hidden(mixed(self, x))).detach())


class Unrecorded(PaddleNet):
    """A layer called under no_grad."""

    def forward(self, x):
        with paddle.no_grad():
            x = mixed(self, x)
        return self.head(paddle.tanh(self.hidden(x)))


class Doubled(PaddleNet):
    """A gradient that is twice what it should be, and stops nowhere."""

    def forward(self, x):
        x = mixed(self, x)
        return self.head(paddle.tanh(self.hidden(2 * x - x.detach())))


class InTraining(PaddleNet):
    """Detached in training alone."""

    def forward(self, x):
        x = mixed(self, x)
        return self.head(paddle.tanh(self.hidden(x.detach() if self.training else x)))


class TorchBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 6)

    def forward(self, x):
        return torch.tanh(self.inner(x)) + x


class PaddleBlock(paddle_nn.Layer):
    def __init__(self, stop: bool) -> None:
        super().__init__()
        self.inner = paddle_nn.Linear(6, 6)
        self.stop = stop

    def forward(self, x):
        out = paddle.tanh(self.inner(x)) + x
        return out.detach() if self.stop else out


class TorchNested(TorchNet):
    def __init__(self) -> None:
        super().__init__()
        self.block = TorchBlock()

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x))).mean((2, 3))
        return self.head(torch.tanh(self.hidden(self.block(x))))


class PaddleNested(PaddleNet):
    def __init__(self) -> None:
        super().__init__()
        self.block = PaddleBlock(stop=True)

    def forward(self, x):
        return self.head(paddle.tanh(self.hidden(self.block(mixed(self, x)))))


def causes(port, original=None):
    torch.manual_seed(1)
    result = check_parity(
        original or TorchNet(), port, IMAGES[0], checks=["backward"], precision="float64"
    )
    return [(one.cause, one.layer) for one in result.diagnosis], result


@pytest.mark.parametrize("port", [Before, After, Unrecorded], ids=lambda port: port.__name__)
def test_a_stopped_gradient_is_named_in_the_forward_that_stops_it(port):
    found, result = causes(port())
    assert found == [("gradient-stopped", "")]
    assert "with torch's stopped there" in result.diagnosis[0].evidence


def test_a_child_that_returns_a_detached_tensor_is_named_itself():
    found, _ = causes(PaddleNested(), TorchNested())
    assert found == [("gradient-stopped", "block")]


def test_another_gradient_is_not_called_a_stopped_one():
    found, result = causes(Doubled())
    assert not result
    assert found == []


def test_frozen_parameters_are_named_and_not_called_a_stopped_gradient():
    port = PaddleNet()
    port.hidden.weight.stop_gradient = True
    found, result = causes(port)
    assert found == [("parameters-frozen", "hidden")]
    assert "hidden.weight" in result.diagnosis[0].evidence


def test_a_correct_port_has_no_diagnosis():
    found, result = causes(PaddleNet())
    assert result
    assert found == []


def test_a_gradient_that_stops_in_training_alone_is_named():
    found, _ = told(SGD, SGD, InTraining())
    assert found == [("gradient-stopped", "")]


class TorchNormed(TorchNet):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(6)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x))).mean((2, 3))
        return self.head(torch.tanh(self.hidden(self.norm(x))))


class PaddleNormed(PaddleNet):
    def __init__(self) -> None:
        super().__init__()
        self.norm = paddle_nn.LayerNorm(6)

    def forward(self, x):
        return self.head(paddle.tanh(self.hidden(self.norm(mixed(self, x)))))


def frozen(port, *parameters):
    for name, parameter in port.named_parameters():
        parameter.stop_gradient = parameter.stop_gradient or name in parameters
    return port


def test_a_frozen_layer_norm_is_named():
    ours = SGD.but(left_out=("norm.",))
    original = TorchNormed()
    # Scales of 1 would hide it.
    nn.init.normal_(original.norm.weight, 1.0, 0.5, generator=torch.Generator().manual_seed(2))
    port = frozen(PaddleNormed(), "norm.weight", "norm.bias")
    found, result = told(ours, ours, port, original)
    assert found == [("layer-norm-frozen", "norm")]
    assert "stop_gradient" in result.diagnosis[0].evidence


def test_a_frozen_batch_norm_is_no_layer_norm():
    ours = SGD.but(left_out=("bn.",))
    found, _ = told(ours, ours, frozen(PaddleNet(), "bn.weight", "bn.bias"))
    assert found == [("parameters-frozen", "bn")]
