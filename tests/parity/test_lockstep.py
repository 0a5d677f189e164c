"""Two networks side by side: order, memory, and ends in the middle."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import paddle
import parity_toys as toys
import pytest
import torch

from parity import check_parity
from parity.paused import PausedRun
from parity.record import NetworkError
from parity.running import record
from parity.source import LiveRun


def hooked(network: torch.nn.Module) -> bool:
    return any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_a_paused_run_gives_what_a_recorded_one_does() -> None:
    model = toys.torch_model()
    whole = record(model, (toys.images(),)).records
    with LiveRun(model, (toys.images(),), "float32").paused() as records:
        stepped = [entry.kept() for entry in records]
    assert [entry.key for entry in stepped] == [entry.key for entry in whole]
    for one, other in zip(stepped, whole, strict=True):
        np.testing.assert_array_equal(one.outputs[0].array, other.outputs[0].array)
    assert not hooked(model)


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_a_run_left_in_the_middle_leaves_the_network_as_it_was(steps: int) -> None:
    model = toys.torch_model().double()
    threads = threading.active_count()
    with LiveRun(model, (toys.images(),), "float64").paused() as records:
        for _ in range(steps):
            next(records)
    assert threading.active_count() == threads
    assert not hooked(model)
    assert model.training
    assert torch.get_default_dtype() == torch.float32


def test_interrupted_as_it_starts_no_thread_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for its turn would keep the process from ending."""
    start, threads = threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        threads.append(thread)
        start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    run = PausedRun(lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        run.__enter__()
    threads[0].join(60)
    assert not threads[0].is_alive()


def test_an_error_of_the_paused_network_comes_out() -> None:
    wrong = toys.images()[:, :2]
    with (
        LiveRun(toys.torch_model(), (wrong,), "float32").paused() as records,
        pytest.raises(NetworkError, match=r"torch network stopped in 'block\.conv'"),
    ):
        list(records)


class Branches(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
        self.act = torch.nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        left = self.a(x)
        kept = left * 1
        # Overwrites what `a` returned while it still waits for its partner.
        self.act(left)
        return self.b(x) + kept


class PaddleBranches(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = paddle.nn.Linear(4, 4), paddle.nn.Linear(4, 4)
        self.act = paddle.nn.ReLU()

    def forward(self, x: Any) -> Any:
        right = self.b(x)
        left = self.a(x)
        self.act(left)
        return right + left


def test_another_order_of_calls_pairs_all_the_same() -> None:
    x = np.random.default_rng(3).standard_normal((3, 4)).astype(np.float32)
    result = check_parity(Branches(), PaddleBranches(), x)
    assert result, result.failures
    assert [layer.name for layer in result.layers] == ["a", "act", "b", ""]


def test_when_paddle_stops_torch_is_ended_too() -> None:
    class Broken(PaddleBranches):
        def forward(self, x: Any) -> Any:
            self.a(x)
            raise RuntimeError("in the middle")

    ours = Branches()
    threads = threading.active_count()
    with pytest.raises(NetworkError, match="in the middle"):
        check_parity(ours, Broken(), np.ones((3, 4), np.float32))
    assert threading.active_count() == threads
    assert torch.get_default_dtype() == torch.float32
    assert not hooked(ours)


def test_a_call_more_on_one_side_is_listed() -> None:
    class Twice(PaddleBranches):
        def forward(self, x: Any) -> Any:
            self.a(x)
            return super().forward(x)

    x = np.ones((3, 4), np.float32)
    result = check_parity(Branches(), Twice(), x)
    assert not result
    assert [(call.path, call.call) for call in result.paddle_only] == [("a", 1)]
    assert not result.torch_only


def test_a_deep_stack() -> None:
    depth = 300
    ours = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(depth)))
    theirs = paddle.nn.Sequential(*(paddle.nn.Linear(4, 4) for _ in range(depth)))
    result = check_parity(ours, theirs, np.ones((2, 4), np.float32))
    assert result, result.failures
    assert len(result.layers) == depth + 1


def test_recurrent_networks() -> None:
    class Tagger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.LSTM(4, 5, 2, batch_first=True, bidirectional=True)

        def forward(self, x: Any) -> Any:
            return self.rnn(x)

    class PaddleTagger(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = paddle.nn.LSTM(4, 5, 2, direction="bidirect")

        def forward(self, x: Any) -> Any:
            return self.rnn(x)

    ours, theirs = Tagger(), PaddleTagger()
    with paddle.no_grad():
        for key, value in theirs.named_parameters():
            value.set_value(ours.state_dict()[key].numpy())
    x = np.random.default_rng(3).standard_normal((2, 6, 4)).astype(np.float32)
    result = check_parity(ours, theirs, x, transfer=False)
    assert [t.slot for t in result.layers[-1].tensors] == ["0", "1.0", "1.1"]
    assert result, result.failures
