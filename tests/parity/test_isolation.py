"""Own errors: every kind of fault is found where it is, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import faulty_toys
import numpy as np
import paddle
import pytest
import torch
from function_toys import Paddle, Torch

from parity import State, check_parity, forced, weights
from parity.compare import tensor_error
from parity.forced import forced_run
from parity.running import record
from parity.source import LiveRun

ROUNDING = 1e-14


def places(result: Any) -> list[tuple[str, int, str]]:
    return [(x.name, x.call, str(x.between or "")) for x in result.faulty]


def found(*faults: str, **options: Any) -> Any:
    return check_parity(*faulty_toys.pair(*faults), faulty_toys.images(), **options)


FAULTS = [
    ("epsilon", ("stem.1", 0, "")),
    ("concat", ("fork", 0, "after fork.right, the last")),
    ("pool", ("pool", 0, "")),
    ("dropped activation", ("act", 0, "")),
    ("second call", ("act", 1, "")),
    ("resize", ("", 0, "between act and tail")),
    ("add", ("", 0, "between act and tail")),
    ("wiring", ("", 0, "between act and tail")),
    ("dropped relu", ("", 0, "between act (call 1) and out")),
    ("after the last", ("", 0, "after out, the last")),
]


@pytest.mark.parametrize(("fault", "place"), FAULTS)
def test_a_fault_is_found_where_it_is_and_the_rest_is_clean(fault: str, place: Any) -> None:
    result = found(fault)
    assert places(result) == [place]
    assert result.first_divergence is result.faulty[0]
    assert result.faulty[0].own64 > 1e-7
    others = [layer for layer in result.layers if layer not in result.faulty]
    assert {layer.own_state for layer in others} == {State.MATCH}
    assert max(layer.own64 for layer in others) < ROUNDING
    assert any(not layer.state.passes for layer in result.layers)


@pytest.mark.parametrize("one", FAULTS, ids=lambda f: f[0])
@pytest.mark.parametrize("other", FAULTS[3:7], ids=lambda f: f[0])
def test_two_faults_are_both_found_the_earlier_one_first(one: Any, other: Any) -> None:
    order = ("epsilon", "concat", "pool", "dropped activation", "resize", "add", "wiring")
    order = (*order, "second call", "dropped relu", "after the last")
    first, second = sorted((one, other), key=lambda fault: order.index(fault[0]))
    expected = [first[1]] if first[1][:2] == second[1][:2] else [first[1], second[1]]
    result = found(one[0], other[0])
    assert [place[:2] for place in places(result)] == [place[:2] for place in expected]


def test_a_correct_port_needs_no_second_run_and_has_no_own_errors_in_one() -> None:
    assert {layer.own_state for layer in found().layers} == {None}
    result = found(isolation="always")
    assert result, result.failures
    assert result.faulty == ()
    assert max(layer.own64 for layer in result.layers) < ROUNDING
    assert max(layer.own32 for layer in result.layers) < 1e-6


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_one_precision_is_enough(precision: Any) -> None:
    result = found("pool", "second call", precision=precision)
    assert places(result) == [("pool", 0, ""), ("act", 1, "")]
    assert (result.faulty[0].own64 is None) is (precision == "float32")


def test_without_own_errors_the_first_wrong_layer_is_named() -> None:
    result = found("pool", "second call", isolation="never")
    assert result.faulty == ()
    assert result.first_divergence.name == "pool"
    with pytest.raises(ValueError, match="expected one of auto, always, never"):
        found(isolation="sometimes")


def test_exchanging_before_comparing_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above fail for a run that is right by construction."""
    monkeypatch.setattr(forced, "tensor_error", lambda ours, _: tensor_error(ours, ours.copy()))
    assert found("pool").faulty == ()


X = np.random.default_rng(2).standard_normal((3, 4)).astype(np.float32)


def check(ours: Any, theirs: Any, *inputs: np.ndarray, **options: Any) -> Any:
    options = {"isolation": "always", "transfer": False} | options
    return check_parity(ours, theirs, inputs or (X,), **options)


def own(result: Any, name: str, call: int = 0) -> Any:
    return next(x for x in result.layers if (x.name, x.call) == (name, call))


def test_an_activation_that_is_missing_does_not_spoil_the_input_it_returns() -> None:
    """Its result is its input: writing there would change the other summand, too."""
    ours = Torch(lambda m, x: m.act(y := m.shift(x)) + y, act=torch.nn.ReLU(),
                 shift=Torch(lambda _, x: x + 1))  # fmt: skip
    theirs = Paddle(lambda m, x: m.act(y := m.shift(x)) + y, act=Paddle(lambda _, x: x),
                    shift=Paddle(lambda _, x: x + 1))  # fmt: skip
    assert places(check(ours, theirs)) == [("act", 0, "")]


def test_in_place_activations_whose_result_is_ignored() -> None:
    def body(m: Any, x: Any) -> Any:
        y = m.shift(x) * 2
        m.act(y)
        return m.last(y)

    def torch_net() -> Torch:
        return Torch(body, act=torch.nn.ReLU(inplace=True), shift=Torch(lambda _, x: x + 0.1),
                     last=Torch(lambda _, x: x * 3))  # fmt: skip

    def paddle_net(act: Any) -> Paddle:
        return Paddle(body, act=Paddle(lambda _, x: act(x)), shift=Paddle(lambda _, x: x + 0.1),
                      last=Paddle(lambda _, x: x * 3))  # fmt: skip

    right = check(torch_net(), paddle_net(paddle.nn.functional.relu_))
    assert right, right.failures
    assert right.faulty == ()
    wrong = check(torch_net(), paddle_net(lambda x: x.clip_(-0.5)))
    assert places(wrong) == [("act", 0, "")]


def test_outputs_that_are_parameters_or_views_are_never_written_to() -> None:
    class Table(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.table = self.create_parameter([3, 4])
            self.table.set_value(X)

        def forward(self) -> Any:
            return self.table, self.table[1:], self.table.reshape([12])

    class TorchTable(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Parameter(torch.from_numpy(X * 2))

        def forward(self) -> Any:
            return self.table, self.table[1:], self.table.reshape(12)

    def body(m: Any, x: Any) -> Any:
        return m.table()[0] + x, m.table()[1], m.table()[2]

    result = check(Torch(body, table=TorchTable()), Paddle(body, table=Table()))
    # Were the parameter overwritten, the later calls would seem right.
    assert places(result) == [("table", 0, ""), ("table", 1, ""), ("table", 2, "")]


def test_a_view_of_another_layers_result_does_not_change_it() -> None:
    def body(m: Any, x: Any) -> Any:
        y = m.shift(x)
        return m.part(y), m.last(y)

    theirs = {"shift": Paddle(lambda _, x: x + 1), "last": Paddle(lambda _, x: x * 3)}
    ours = {"shift": Torch(lambda _, x: x + 1), "last": Torch(lambda _, x: x * 3)}
    result = check(
        Torch(body, part=Torch(lambda _, x: x[:, :2]), **ours),
        Paddle(body, part=Paddle(lambda _, x: x[:, 2:]), **theirs),
    )
    assert places(result) == [("part", 0, "")]


@dataclass(frozen=True)
class Output:
    logits: Any
    rest: tuple[Any, ...]


def test_nested_outputs_are_exchanged_where_they_stand() -> None:
    def made(scale: float) -> Any:
        return lambda _, x: {"a": (x * scale, [x + 1, None]), "b": Output(x - scale, (x,)), "n": 3}

    def body(m: Any, x: Any) -> Any:
        y = m.many(x)
        assert y["n"] == 3
        return m.last(y["a"][0] + y["a"][1][0] + y["b"].logits + y["b"].rest[0])

    def last(_: Any, x: Any) -> Any:
        return x * 3

    ours = Torch(body, many=Torch(made(2.0)), last=Torch(last))
    result = check(ours, Paddle(body, many=Paddle(made(2.5)), last=Paddle(last)))
    assert places(result) == [("many", 0, "")]
    slots = {t.slot: t.verdict.state.passes for t in own(result, "many").own}
    assert slots == {"a.0": False, "a.1.0": True, "b.logits": False, "b.rest.0": True}
    assert check(ours, Paddle(body, many=Paddle(made(2.0)), last=Paddle(last)))


def test_integer_outputs_go_on_as_torchs() -> None:
    def body(m: Any, x: Any) -> Any:
        return m.table(m.index(x))

    table = torch.nn.Embedding(4, 5)
    theirs = paddle.nn.Embedding(4, 5)
    theirs.weight.set_value(table.weight.detach().numpy())
    result = check(
        Torch(body, index=Torch(lambda _, x: x.argmax(1)), table=table),
        Paddle(body, index=Paddle(lambda _, x: x.argmin(1).astype("int32")), table=theirs),
    )
    assert places(result) == [("index", 0, "")]
    assert own(result, "table").own64 == 0


def test_what_cannot_be_exchanged_is_inherited_and_says_so() -> None:
    def body(m: Any, x: Any) -> Any:
        return m.last(m.sum(m.mean(x)))

    def last(_: Any, x: Any) -> Any:
        return x * 3

    result = check(
        Torch(body, mean=Torch(lambda _, x: x.mean(1)), sum=Torch(lambda _, x: x.sum()),
              last=Torch(last)),
        Paddle(body, mean=Paddle(lambda _, x: x.mean(1, keepdim=True) + 1),
               sum=Paddle(lambda _, x: x.sum()), last=Paddle(last)),
    )  # fmt: skip
    assert places(result) == [("mean", 0, "")]
    inherited = own(result, "sum")
    assert inherited.own_state is State.NOT_COMPARED
    assert inherited.own64 is None
    assert "what mean returned cannot be exchanged: shape [3] in torch, [3, 1] in paddle" in (
        inherited.own[0].verdict.reason
    )
    # Its result has the right shape again: from there on values are torch's.
    assert own(result, "last").own_state is State.MATCH


def test_a_parents_fault_does_not_hide_that_of_the_child_it_deceives() -> None:
    def body(m: Any, x: Any) -> Any:
        return m.inner(x * 2)

    def wrong(m: Any, x: Any) -> Any:
        return m.inner(x * 3)

    def inner(m: Any, x: Any) -> Any:
        return m.leaf(x + 1)

    def wrong_inner(m: Any, x: Any) -> Any:
        return m.leaf(x - 1)

    def leaf(_: Any, x: Any) -> Any:
        return x * x

    def wrong_leaf(_: Any, x: Any) -> Any:
        return x * x * 1.1

    ours = Torch(body, inner=Torch(inner, leaf=Torch(leaf)))
    one = check(ours, Paddle(wrong, inner=Paddle(inner, leaf=Paddle(leaf))))
    assert places(one) == [("", 0, "before inner, the first")]
    assert own(one, "inner").own_state is State.MATCH
    two = check(ours, Paddle(wrong, inner=Paddle(inner, leaf=Paddle(wrong_leaf))))
    assert [place[0] for place in places(two)] == ["", "inner.leaf"]
    three = check(ours, Paddle(wrong, inner=Paddle(wrong_inner, leaf=Paddle(wrong_leaf))))
    assert [place[0] for place in places(three)] == ["", "inner", "inner.leaf"]


def test_another_meaning_of_what_is_handed_over_is_no_fault() -> None:
    mask = np.array([[True, False, True, True]] * 3)

    def ours(m: Any, x: Any, drop: Any) -> Any:
        return m.tail(m.masked(x, drop))

    def theirs(m: Any, x: Any, drop: Any) -> Any:
        return m.tail(m.masked(x, paddle.logical_not(drop)))

    def cleared(_: Any, x: Any, drop: Any) -> Any:
        return x.masked_fill(drop, 0.0)

    def kept(_: Any, x: Any, keep: Any) -> Any:
        return paddle.where(keep, x, paddle.zeros_like(x))

    def tail(_: Any, x: Any) -> Any:
        return x * 3

    def pool(_: Any, x: Any) -> Any:
        return x * 3.1

    reference = Torch(ours, masked=Torch(cleared), tail=Torch(tail))
    right = check(reference, Paddle(theirs, masked=Paddle(kept), tail=Paddle(tail)), X, mask)
    assert right, right.failures
    assert right.faulty == ()
    other = check(reference, Paddle(theirs, masked=Paddle(kept), tail=Paddle(pool)), X, mask)
    assert places(other) == [("tail", 0, "")]


def test_layers_without_a_partner_belong_to_their_parent() -> None:
    def body(m: Any, x: Any) -> Any:
        return m.last(m.shift(x))

    def longer(m: Any, x: Any) -> Any:
        return m.last(m.more(m.shift(x)))

    def shift(_: Any, x: Any) -> Any:
        return x + 1

    ours = Torch(body, shift=Torch(shift), last=Torch(shift))
    rest = {"shift": Paddle(shift), "last": Paddle(shift)}
    harmless = check(ours, Paddle(longer, more=Paddle(lambda _, x: x * 1), **rest))
    assert harmless, harmless.failures
    result = check(ours, Paddle(longer, more=Paddle(lambda _, x: x * 2), **rest))
    assert places(result) == [("", 0, "between shift and last")]
    assert [call.path for call in result.paddle_only] == ["more"]


def test_values_that_are_not_finite_do_not_travel() -> None:
    def body(m: Any, x: Any) -> Any:
        return m.last(m.root(x))

    def last(_: Any, x: Any) -> Any:
        return x * 3

    ours = Torch(body, root=Torch(lambda _, x: x.abs().sqrt()), last=Torch(last))
    result = check(ours, Paddle(body, root=Paddle(lambda _, x: x.sqrt()), last=Paddle(last)))
    assert places(result) == [("root", 0, "")]
    assert not own(result, "last").state.passes


def test_the_forced_run_measures_what_a_layer_does_to_right_values() -> None:
    ours, theirs = faulty_toys.pair("pool", "second call")
    weights.load(theirs, weights.transfer(ours, theirs))
    runs = [LiveRun(network, (faulty_toys.images(),), "float32") for network in (ours, theirs)]
    calls = forced_run(*runs, rename={})
    trace = {entry.path: entry for entry in record(ours, (faulty_toys.images(),)).records}
    given, right = (trace[name].outputs[0].array for name in ("fork", "pool"))
    returned = theirs.pool(paddle.to_tensor(given)).numpy()
    assert calls["pool", 0].outputs[""].error == tensor_error(right, returned)
    assert calls["mix", 0].outputs[""].error.error < 1e-6
    assert calls["act", 1].given["0.0"].error.error == 0
