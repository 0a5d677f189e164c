from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import parity_toys as toys
import pytest
import torch

from parity.record import NetworkError
from parity.recorder import observe
from parity.running import record


class Shapes(torch.nn.Module):
    """Repeated, shared, nested, never called, in place, dict and tuple outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(4, 4)
        self.alias = torch.nn.Sequential(self.first)
        self.relu = torch.nn.ReLU(inplace=True)
        self.unused = torch.nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        once = self.first(x)
        kept = once.clone()
        return {"a": (self.relu(once), [kept]), "b": self.alias(x), "label": "text"}


class PaddleShapes(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.first = paddle.nn.Linear(4, 4)
        self.alias = paddle.nn.Sequential(self.first)
        self.relu = paddle.nn.ReLU()
        self.unused = paddle.nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        once = self.first(x)
        kept = once.clone()
        return {"a": (paddle.nn.functional.relu_(once), [kept]), "b": self.alias(x), "label": "t"}


VECTOR = (np.random.default_rng(5).standard_normal((2, 4)).astype(np.float32),)


@pytest.mark.parametrize("network", [Shapes, PaddleShapes])
def test_every_call_is_recorded_in_order_of_completion(network: Any) -> None:
    trace = record(network(), VECTOR)
    keys = [entry.key for entry in trace.records if entry.path != "relu"]
    assert keys == [("first", 0), ("first", 1), ("alias", 0), ("", 0)]
    assert trace.never_called == ("unused",)
    root = trace.records[-1]
    assert [value.slot for value in root.outputs] == ["a.0", "a.1.0", "b"]
    assert root.parent is None
    assert trace.records[0].parent == ("", 0)


@pytest.mark.parametrize("network", [Shapes, PaddleShapes])
def test_values_are_copied_before_an_in_place_activation_overwrites_them(network: Any) -> None:
    torch.manual_seed(11)
    paddle.seed(11)
    trace = record(network(), VECTOR)
    before, root = trace.records[0].outputs[0].array, trace.records[-1]
    np.testing.assert_array_equal(before, root.outputs[1].array)
    assert (before < 0).any()
    np.testing.assert_array_equal(np.maximum(before, 0), root.outputs[0].array)


def test_only_inputs_that_no_module_returned_are_recorded() -> None:
    trace = record(toys.PaddleBlock(), (toys.images(),))
    given = {entry.path: [value.slot for value in entry.inputs] for entry in trace.records}
    assert given["conv"] == ["0.0"]
    assert given["head"] == ["0.0"]
    assert given["bn"] == given["relu"] == given["skip"] == []


class Failing(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(3, 3))

    def forward(self, x: Any) -> Any:
        torch.rand(1)
        return self.inner(x)


class PaddleFailing(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.inner = paddle.nn.Sequential(paddle.nn.Linear(4, 4), paddle.nn.Linear(3, 3))

    def forward(self, x: Any) -> Any:
        paddle.rand([1])
        return self.inner(x)


def test_an_exception_leaves_torch_as_it_was() -> None:
    network = Failing()
    network.inner[0].eval()
    flags = [module.training for module in network.modules()]
    random = torch.get_rng_state()
    with pytest.raises(NetworkError, match=r"torch network stopped in 'inner\.1' \(RuntimeError"):
        record(network, VECTOR)
    assert [module.training for module in network.modules()] == flags
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.get_default_dtype() == torch.float32
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_an_exception_leaves_paddle_as_it_was() -> None:
    network = PaddleFailing()
    network.inner[0].eval()
    layers = network.sublayers(include_self=True)
    flags = [layer.training for layer in layers]
    paddle.seed(7)
    expected = paddle.rand([4]).numpy()
    paddle.seed(7)
    with pytest.raises(NetworkError, match=r"paddle network stopped in 'inner\.1'"):
        record(network, VECTOR)
    np.testing.assert_array_equal(paddle.rand([4]).numpy(), expected)
    assert [layer.training for layer in layers] == flags
    assert paddle.get_default_dtype() == "float32"
    assert not any(x._forward_post_hooks or x._forward_pre_hooks for x in layers)


def test_a_consumer_that_raises_stops_the_run_and_hooks_are_gone() -> None:
    network = torch.nn.Linear(4, 4)

    def refuse(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), observe(network, refuse):
        network(torch.zeros(1, 4))
    assert not network._forward_hooks
    assert not network._forward_pre_hooks


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected a torch\.nn\.Module or a paddle\.nn\.Layer"):
        record(object(), VECTOR)


def test_one_copy_serves_all_modules_that_are_given_a_tensor() -> None:
    whole = record(toys.torch_model(), (toys.images(),))
    given = {entry.path: entry.inputs[0].array for entry in whole.records if entry.inputs}
    assert given[""] is given["block"] is given["block.conv"]
    assert given["block.head"] is not given[""]


class Overwriting(torch.nn.Module):
    """Changes its input before it hands it on."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Identity()

    def forward(self, x: Any) -> Any:
        return self.inner(x.add_(1.0))


def test_an_overwritten_tensor_is_copied_anew() -> None:
    inner, outer = record(Overwriting(), (np.zeros((2, 2), np.float32),)).records
    assert outer.inputs[0].array.tolist() == [[0, 0], [0, 0]]
    assert inner.inputs[0].array.tolist() == [[1, 1], [1, 1]]
