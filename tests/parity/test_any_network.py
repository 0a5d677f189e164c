"""Whatever a network is made of, a correct port of it passes and a wrong one does not."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import paddle
import pytest
import torch
from function_toys import Paddle, Torch

from parity import State, check_parity
from parity.inputs import seed_weights

X = np.random.default_rng(2).standard_normal((2, 5, 8)).astype(np.float32)


def check(ours: Any, theirs: Any, *inputs: Any, **options: Any) -> Any:
    return check_parity(ours, theirs, inputs or (X,), **options)


def holds(ours: Any, theirs: Any, *inputs: Any, **options: Any) -> Any:
    result = check(ours, theirs, *inputs, **options)
    assert result, result.failures
    return result


def test_layers_that_return_nothing_are_noted_and_pass() -> None:
    def body(m: Any, x: Any) -> Any:
        m.note(x)
        return m.last(m.kept)

    def note(m: Any, x: Any) -> None:
        m.outer[0].kept = x + 1

    def last(_: Any, x: Any) -> Any:
        return x * 2

    def net(side: Any) -> Any:
        made = side(body, note=side(note), last=side(last))
        made.note.outer = [made]
        return made

    result = holds(net(Torch), net(Paddle))
    assert [layer.name for layer in result.layers] == ["last", ""]
    assert result.notes == ("returned no tensor in either network: note",)
    nothing = check(Torch(lambda *_: None), Paddle(lambda *_: None))
    assert not nothing
    assert nothing.layers[0].state is State.NOT_COMPARED


def test_generators_are_recorded_with_what_they_call() -> None:
    def parts(m: Any, x: Any) -> Any:
        for scale in (1.0, 2.0, 3.0):
            yield m.scaled(x, scale)

    def body(m: Any, x: Any) -> Any:
        return sum(m.parts(x))

    def scaled(_: Any, x: Any, scale: float) -> Any:
        return x * scale

    def wrong(_: Any, x: Any, scale: float) -> Any:
        return x * min(scale, 2.5)

    def net(side: Any, scaled: Any) -> Any:
        return side(body, parts=side(parts, scaled=side(scaled)))

    result = holds(net(Torch, scaled), net(Paddle, scaled))
    named = {(layer.name, layer.call): layer for layer in result.layers}
    assert named["parts.scaled", 2].parent == ("parts", 0)
    assert [tensor.slot for tensor in named["parts", 0].tensors] == ["0", "1", "2"]
    found = check(net(Torch, scaled), net(Paddle, wrong)).faulty
    assert [(layer.name, layer.call) for layer in found] == [("parts.scaled", 2)]
    # The network itself may be one.
    root = [side(parts, scaled=side(scaled)) for side in (Torch, Paddle)]
    assert len(holds(*root).layers[-1].tensors) == 3


def test_an_endless_generator_does_not_hang() -> None:
    def endless(_: Any, x: Any) -> Any:
        while True:
            yield x
            x = x * 0.5

    def body(m: Any, x: Any) -> Any:
        return next(zip(m.endless(x), range(1), strict=False))[0]

    holds(*(side(body, endless=side(endless)) for side in (Torch, Paddle)), X[:1, :1])


def test_arguments_by_name_alone_several_and_of_integers() -> None:
    def body(m: Any, x: Any, index: Any) -> Any:
        return m.inner(table=m.table(index), x=x, scale=2.0, nothing=None)

    def inner(_: Any, *, table: Any, x: Any, scale: float, nothing: Any) -> Any:
        assert nothing is None
        return {"sum": table + x, "scaled": [x * scale], "text": "none"}

    ours = Torch(body, inner=Torch(inner), table=torch.nn.Embedding(7, 8))
    theirs = Paddle(body, inner=Paddle(inner), table=paddle.nn.Embedding(7, 8))
    index = np.array([[0, 1, 2, 3, 6]] * 2)
    result = holds(ours, theirs, X, index, isolation="always")
    assert [tensor.slot for tensor in result.layers[-1].tensors] == ["sum", "scaled.0"]
    assert check_parity(ours, theirs, {"x": X, "index": index})


class Counting(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Any) -> Any:
        self.seen += 1
        return x * self.seen


class PaddleCounting(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", paddle.zeros([]))

    def forward(self, x: Any) -> Any:
        self.seen += 1
        return x * self.seen


def test_a_buffer_that_the_forward_changes_starts_anew_in_every_run() -> None:
    def body(m: Any, x: Any) -> Any:
        return m.count(m.count(x))

    ours, theirs = Torch(body, count=Counting()), Paddle(body, count=PaddleCounting())
    result = holds(ours, theirs, isolation="always")
    assert max(layer.own64 for layer in result.layers) == 0.0
    assert float(ours.count.seen) == float(theirs.count.seen) == 0.0


RECURRENT = [("LSTM", "LSTM"), ("GRU", "GRU"), ("RNN", "SimpleRNN")]


@pytest.mark.parametrize("direction", ["forward", "bidirect"])
@pytest.mark.parametrize("names", RECURRENT, ids=lambda names: names[0])
def test_recurrent_layers_in_both_precisions(names: tuple[str, str], direction: str) -> None:
    ours = getattr(torch.nn, names[0])(
        8, 3, 2, batch_first=True, bidirectional=direction == "bidirect"
    )
    seed_weights(ours, 2)
    theirs = getattr(paddle.nn, names[1])(8, 3, 2, direction=direction)
    result = holds(
        Torch(lambda m, x: m.rnn(x), rnn=ours), Paddle(lambda m, x: m.rnn(x), rnn=theirs)
    )
    assert result.precisions == ("float32", "float64")
    assert {layer.state for layer in result.layers} == {State.MATCH}


@pytest.mark.parametrize("names", RECURRENT, ids=lambda names: names[0])
def test_recurrent_cells_return_their_state_in_other_places(names: tuple[str, str]) -> None:
    def ours_body(m: Any, x: Any) -> Any:
        state = None
        for step in range(5):
            state = m.cell(x[:, step], state)
        return state[0] if isinstance(state, tuple) else state

    def theirs_body(m: Any, x: Any) -> Any:
        state = None
        for step in range(5):
            out, state = m.cell(x[:, step], state)
        return out

    cell = getattr(torch.nn, f"{names[0]}Cell")(8, 3)
    seed_weights(cell, 2)
    ours = Torch(ours_body, cell=cell)
    other = getattr(paddle.nn, f"{names[1]}Cell")
    result = holds(ours, Paddle(theirs_body, cell=other(8, 3)), isolation="always")
    assert max(layer.own64 for layer in result.layers) < 1e-14
    assert len(result.layers) == 6


@pytest.mark.parametrize("need_weights", [True, False])
def test_attention_returns_its_weights_or_not(need_weights: bool) -> None:
    layer = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    seed_weights(layer, 2)
    ours = Torch(lambda m, x: m.mix(x, x, x, need_weights=need_weights)[0] * 2, mix=layer)
    theirs = Paddle(lambda m, x: m.mix(x, x, x) * 2, mix=paddle.nn.MultiHeadAttention(8, 2))
    result = holds(ours, theirs)
    assert [layer.name for layer in result.layers] == ["mix", ""]
    assert result.never_called == ()
    more = paddle.nn.MultiHeadAttention(8, 2, need_weights=True)
    holds(ours, Paddle(lambda m, x: m.mix(x, x, x)[0] * 2, mix=more))
    fewer = paddle.nn.MultiHeadAttention(8, 4)
    found = check(ours, Paddle(lambda m, x: m.mix(x, x, x) * 2, mix=fewer)).first_divergence
    assert found is not None
    assert found.name == "mix"


def test_transformers_are_recorded_layer_by_layer_padding_or_not() -> None:
    block = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    ours = torch.nn.TransformerEncoder(block, 2)
    seed_weights(ours, 2)
    theirs = paddle.nn.TransformerEncoder(paddle.nn.TransformerEncoderLayer(8, 2, 16), 2)
    padded = np.zeros((2, 5), bool)
    padded[0, 3:] = True

    def theirs_body(m: Any, x: Any, drop: Any) -> Any:
        return m.encoder(x, paddle.logical_not(drop).unsqueeze([1, 2]))

    result = holds(
        Torch(lambda m, x, drop: m.encoder(x, src_key_padding_mask=drop), encoder=ours),
        Paddle(theirs_body, encoder=theirs),
        X,
        padded,
        isolation="always",
    )
    assert "encoder.layers.1.self_attn" in {layer.name for layer in result.layers}
    assert max(layer.own64 or 0.0 for layer in result.layers) < 1e-13
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_stack_of_a_thousand_layers() -> None:
    depth = 1000
    ours = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(depth)))
    with torch.no_grad():
        for layer in ours:
            torch.nn.init.orthogonal_(layer.weight)
    theirs = paddle.nn.Sequential(*(paddle.nn.Linear(4, 4) for _ in range(depth)))
    limit = sys.getrecursionlimit()
    result = holds(ours, theirs, X[0, :, :4], isolation="always")
    assert len(result.layers) == depth + 1
    assert max(layer.own32 for layer in result.layers) < 1e-6
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize(("values", "said"), [
    ([[1.0, 3.0, 3.0], [0.0, 2.0, 1.0]], "a tie: the values at all 1 differing indices are equal"),
    ([[1.0, 3.0, 2.0], [0.0, 2.0, 1.0]], ""),
])  # fmt: skip
def test_ties_in_arg_max_are_named(values: Any, said: str) -> None:
    """Found among what the layer was given, returned, or had from its last child."""

    def last_of_equals(x: Any) -> Any:
        return x.shape[1] - 1 - paddle.flip(x, [1]).argmax(1)

    def body(m: Any, x: Any) -> Any:
        return m.head(x).argmax(1)

    def other(m: Any, x: Any) -> Any:
        index = m.head(x)
        return last_of_equals(index) if said else index.argmin(1)

    def both(_: Any, x: Any) -> Any:
        return x * 1

    x = np.array(values, np.float32)
    given = check(Torch(lambda _, x: x.argmax(1)), Paddle(other, head=Paddle(both)), x)
    child = check(Torch(body, head=Torch(both)), Paddle(other, head=Paddle(both)), x)
    for result in (given, child):
        assert not result
        assert result.layers[-1].state is State.MISMATCH
        assert said in result.layers[-1].reason
        assert ("tie" in result.layers[-1].reason) is bool(said)


def test_ties_in_top_k_and_by_rounding_are_named() -> None:
    def theirs(_: Any, x: Any) -> Any:
        values, index = x.topk(2, 1)
        return values, index[:, ::-1]

    x = np.array([[5.0, 5.0, 1.0]], np.float32)
    result = check(Torch(lambda _, x: tuple(x.topk(2, 1))), Paddle(theirs), x)
    assert "a tie: the values at all 2 differing indices are equal" in result.layers[0].reason

    def cancelling(_: Any, x: Any) -> Any:
        return (x * 1e-8 + 1).argmax(1)

    close = np.array([[1.0, 2.0]], np.float32)
    rounded = check(
        Torch(lambda _, x: (x * 1e-8 + 1, (x * 1e-8 + 1).argmax(1))),
        Paddle(lambda _, x: (x * 1e-8 + 1, x.argmax(1))),
        close,
    )
    assert rounded
    assert rounded.layers[0].state is State.ROUNDING
    assert "a tie" in rounded.layers[0].reason


def test_a_shared_activation_that_is_called_in_another_order() -> None:
    def ours_body(m: Any, x: Any) -> Any:
        left = m.act(m.a(x))
        return m.act(m.b(x)) * 2 + left

    def theirs_body(m: Any, x: Any) -> Any:
        right = m.act(m.b(x))
        return right * 2 + m.act(m.a(x))

    def crossed(m: Any, x: Any) -> Any:
        right = m.act(m.b(x))
        return right + m.act(m.a(x)) * 2

    def net(side: Any, body: Any, linear: Any, act: Any) -> Any:
        return side(body, a=linear(8, 8), b=linear(8, 8), act=act)

    ours = net(Torch, ours_body, torch.nn.Linear, torch.nn.ReLU())
    result = holds(ours, net(Paddle, theirs_body, paddle.nn.Linear, paddle.nn.ReLU()),
                   checks=("forward", "backward"))  # fmt: skip
    assert {pair.how for pair in result.assumed} == {"by what it was given"}
    wrong = check(ours, net(Paddle, crossed, paddle.nn.Linear, paddle.nn.ReLU()))
    assert [layer.name for layer in wrong.faulty] == [""]
    other = check(ours, net(Paddle, theirs_body, paddle.nn.Linear, paddle.nn.LeakyReLU(0.1)))
    assert [(layer.name, layer.call) for layer in other.faulty] == [("act", 0), ("act", 1)]
    # In the same order nothing is assumed.
    assert not check(ours, net(Paddle, ours_body, paddle.nn.Linear, paddle.nn.ReLU6())).assumed
