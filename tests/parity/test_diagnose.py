"""Causes are named when a trial confirms them, and look-alikes are not."""

import numpy as np
import paddle
import paddle.nn.functional as PF
import pytest
import torch
import torch.nn.functional as TF
from function_toys import Paddle, Torch

from parity import check_parity
from parity.causes.paddle_names import ROWS, Spelling
from parity.inputs import seed_weights
from parity.weights import load, transfer


class TorchNet(torch.nn.Module):
    """A convolution, a norm, a pool, two square Linear layers and a forward of its own."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.bn = torch.nn.BatchNorm2d(8)
        self.pool = torch.nn.AvgPool2d(3, 2, 1)
        self.one = torch.nn.Linear(16, 16)
        self.two = torch.nn.Linear(16, 16)

    def forward(self, x):
        out = TF.leaky_relu(self.bn(self.conv(x)), 0.2)
        out = self.pool(out)
        both = torch.cat([out.mean((2, 3)), out.amax((2, 3))], 1)
        return torch.softmax(self.two(TF.gelu(self.one(both))) + both, 1)


class PaddleNet(paddle.nn.Layer):
    """Its port; what a test changes is a method or an attribute."""

    def __init__(self, *, pool=None, **conv):
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 8, 3, **{"stride": 2, "padding": 1, **conv})
        self.bn = paddle.nn.BatchNorm2D(8)
        self.pool = pool or paddle.nn.AvgPool2D(3, 2, 1, exclusive=False)
        self.one = paddle.nn.Linear(16, 16)
        self.two = paddle.nn.Linear(16, 16)

    def activation(self, x):
        return PF.leaky_relu(x, 0.2)

    def joined(self, out):
        return paddle.concat([out.mean((2, 3)), out.max((2, 3))], 1)

    def mixed(self, both):
        return self.two(PF.gelu(self.one(both))) + both

    def forward(self, x):
        out = self.activation(self.bn(self.conv(x)))
        return PF.softmax(self.mixed(self.joined(self.pool(out))), 1)


def changed(**methods):
    return type("Port", (PaddleNet,), methods)


@pytest.fixture(scope="module")
def original():
    network = TorchNet()
    seed_weights(network, 3)
    return network


def causes(original, port, **options):
    inputs = np.random.default_rng(5).standard_normal((2, 3, 19, 23)).astype("float32")
    result = check_parity(original, port, inputs, precision="float64", **options)
    return [(found.cause, found.layer) for found in result.diagnosis], result


def epsilon(port, value):
    port.bn._epsilon = value
    return port


SETTINGS = {
    "stride": (lambda: PaddleNet(stride=1), "conv"),
    "padding": (lambda: PaddleNet(padding=0), "conv"),
    "padding-mode": (lambda: PaddleNet(padding_mode="reflect"), "conv"),
    "bn-epsilon": (lambda: epsilon(PaddleNet(), 1.1e-5), "bn"),
    "pool-exclusive": (lambda: PaddleNet(pool=paddle.nn.AvgPool2D(3, 2, 1)), "pool"),
    "ceil-mode": (
        lambda: PaddleNet(pool=paddle.nn.AvgPool2D(3, 2, 1, ceil_mode=True, exclusive=False)),
        "pool",
    ),
    "pool-kind": (lambda: PaddleNet(pool=paddle.nn.MaxPool2D(3, 2, 1)), "pool"),
}


@pytest.mark.parametrize("cause", SETTINGS)
def test_settings_are_named(original, cause):
    build, layer = SETTINGS[cause]
    found, result = causes(original, build())
    assert found[0] == (cause, layer)
    assert result.diagnosis[0].mend.startswith("nn.")


FORWARDS = {
    "activation-slope": {"activation": lambda _, x: PF.leaky_relu(x)},
    "activation-different": {"activation": lambda _, x: PF.elu(x)},
    "activation-dropped": {"activation": lambda _, x: x},
    "concat-order": {"joined": lambda _, x: paddle.concat([x.max((2, 3)), x.mean((2, 3))], 1)},
    "reduction-kind": {"joined": lambda _, x: paddle.concat([x.mean((2, 3)), x.sum((2, 3))], 1)},
    "gelu-approximate": {
        "mixed": lambda n, x: n.two(PF.gelu(n.one(x), approximate=True)) + x,
    },
    "branch-dropped": {"mixed": lambda n, x: n.two(PF.gelu(n.one(x)))},
    "dropout-on": {"mixed": lambda n, x: n.two(PF.dropout(PF.gelu(n.one(x)), 0.3)) + x},
    "layer-exchanged": {"mixed": lambda n, x: n.one(PF.gelu(n.two(x))) + x},
}


@pytest.mark.parametrize("cause", FORWARDS)
def test_own_forwards_are_named(original, cause):
    found, _ = causes(original, changed(**FORWARDS[cause])())
    assert found[0] == (cause, "")


MENDS = {
    "activation-slope": "F.leaky_relu(self.bn(…), negative_slope=0.2)",
    "activation-dropped": "F.leaky_relu(self.bn(…), negative_slope=0.2)",
    "concat-order": (
        "paddle.concat([self.pool(…).mean(axis=[2, 3]), self.pool(…).amax(axis=[2, 3])], axis=1)"
    ),
    "gelu-approximate": "F.gelu(self.one(…))",
    "dropout-on": "F.gelu(self.one(…))  # without dropout",
    "layer-exchanged": (
        "self.one(paddle.concat([self.pool(…).mean(axis=[2, 3]), self.pool(…).amax(axis=[2, 3])], "
        "axis=1))"
    ),
}


@pytest.mark.parametrize("cause", MENDS)
def test_mends_of_own_forwards_are_paddle_code(original, cause):
    _, result = causes(original, changed(**FORWARDS[cause])())
    assert result.diagnosis[0].mend == MENDS[cause]


def test_code_that_cannot_be_shown_to_be_right_is_not_handed_out(original, monkeypatch):
    """The table is made to take one activation for another."""
    wrong = Spelling("F.elu", (("input", ""), ("negative_slope", "alpha")))
    monkeypatch.setitem(ROWS, "leaky_relu", wrong)
    _, result = causes(original, changed(**FORWARDS["activation-slope"])())
    assert result.diagnosis[0].mend.startswith("compute torch's leaky_relu(")


def weighted(original, change):
    port = PaddleNet()
    right = transfer(original, port)
    load(port, {**right, **change(right)})
    return port


WEIGHTS = {
    "linear-untransposed": ("one", lambda w: {"one.weight": w["one.weight"].T}),
    "kernel-transposed": ("conv", lambda w: {"conv.weight": w["conv.weight"].swapaxes(2, 3)}),
    "input-channels-reversed": ("conv", lambda w: {"conv.weight": w["conv.weight"][:, ::-1]}),
    "statistics-exchanged": (
        "bn",
        lambda w: {"bn._mean": w["bn._variance"], "bn._variance": w["bn._mean"]},
    ),
    "weights-exchanged": (
        "one",
        lambda w: {"one.weight": w["two.weight"], "two.weight": w["one.weight"]},
    ),
    "weights-rounded": (
        "two",
        lambda w: {"two.weight": w["two.weight"].astype("float16").astype("float32")},
    ),
    "weights-scaled": ("two", lambda w: {"two.weight": 2 * w["two.weight"]}),
    "weights-never-loaded": (
        "two",
        lambda _: {
            "two.weight": np.random.default_rng(9).standard_normal((16, 16)).astype("float32")
        },
    ),
}


@pytest.mark.parametrize("cause", WEIGHTS)
def test_weights_are_named(original, cause):
    layer, change = WEIGHTS[cause]
    found, _ = causes(original, weighted(original, change), transfer=False)
    assert found[0] == (cause, layer)


def test_a_correct_port_has_no_diagnosis(original):
    found, result = causes(original, PaddleNet())
    assert result
    assert found == []


def test_two_faults_are_both_named_in_order(original):
    port = changed(**FORWARDS["activation-slope"])(stride=2, padding_mode="reflect")
    found, _ = causes(original, port)
    assert ("padding-mode", "conv") in found
    assert ("activation-slope", "") in found


LOOK_ALIKES = {
    # Noise is no fresh layer, and no rounding.
    "noise": (
        lambda w: {
            "two.weight": (
                w["two.weight"]
                + 0.01 * np.random.default_rng(4).standard_normal((16, 16)).astype("float32")
            )
        },
        {"weights-never-loaded", "weights-rounded", "weights-scaled"},
    ),
    # Half transposed is not transposed.
    "half": (
        lambda w: {"one.weight": np.where(np.arange(16) < 8, w["one.weight"].T, w["one.weight"])},
        {"linear-untransposed", "weights-exchanged"},
    ),
}


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_similar_looking_weights_are_not_named(original, name):
    change, wrong = LOOK_ALIKES[name]
    found, result = causes(original, weighted(original, change), transfer=False)
    assert not result
    assert not wrong & {cause for cause, _ in found}


def test_a_pool_with_another_window_is_not_called_exclusive(original):
    """The border differs as with `exclusive`, and the inside does, too."""
    port = PaddleNet(pool=paddle.nn.AvgPool2D(5, 2, 2, exclusive=False))
    found, _ = causes(original, port)
    assert ("pool-exclusive", "pool") not in found


def test_an_unknown_operation_is_placed_and_not_named(original):
    """No edit makes noise of torch's values; a cause would be a guess."""
    noise = paddle.to_tensor(np.random.default_rng(2).standard_normal((2, 16)).astype("float64"))
    port = changed(mixed=lambda n, x: n.two(PF.gelu(n.one(x) * noise)) + x * noise)()
    found, result = causes(original, port)
    assert result.first_divergence.name == ""
    assert not any(cause in ("branch-dropped", "concat-order") for cause, _ in found)


def crossed(order, slope):
    """Call a shared activation on the right branch first."""

    def body(net, x):
        right = net.act(net.b(x))
        left = net.act(net.a(x))
        return paddle.concat([left, right][::order], -1)

    linear, slope = paddle.nn.Linear, paddle.nn.LeakyReLU(slope)
    return Paddle(body, a=linear(8, 8), b=linear(8, 8), act=slope)


@pytest.mark.parametrize(
    ("port", "named"),
    [
        (crossed(1, 0.2), {("activation-slope", "act")}),
        (crossed(-1, 0.1), {("concat-order", "")}),
        (crossed(-1, 0.2), {("activation-slope", "act"), ("concat-order", "")}),
    ],
)
def test_calls_paired_by_what_they_were_given_stay_so(port, named):
    ours = Torch(
        lambda n, x: torch.cat([n.act(n.a(x)), n.act(n.b(x))], -1),
        a=torch.nn.Linear(8, 8),
        b=torch.nn.Linear(8, 8),
        act=torch.nn.LeakyReLU(0.1),
    )
    seed_weights(ours, 3)
    inputs = np.random.default_rng(5).standard_normal((2, 6, 8)).astype("float32")
    result = check_parity(ours, port, inputs, precision="float64")
    assert {(one.cause, one.layer) for one in result.diagnosis} == named
    if ("concat-order", "") in named:
        mend = "paddle.concat([self.act(self.a(…)), self.act(self.b(…))], axis=-1)"
        assert result.diagnosis[-1].mend == mend
