"""Partners where names differ: what pairs, what must not, and what is said about it."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import paddle
import torch
from hypothesis import given
from hypothesis import strategies as st

from parity.align import aligned_in_order
from parity.search import AGAINST, BY_ORDER, BY_SHAPE

if TYPE_CHECKING:
    pass
from structure_toys import Paddle, Torch, assumed, check, pl, tl


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_only_what_every_alignment_has_is_aligned(ours: str, theirs: str) -> None:
    def alignments(length: int) -> list[set[tuple[int, int]]]:
        return [
            set(zip(one, other, strict=True))
            for one in combinations(range(len(ours)), length)
            for other in combinations(range(len(theirs)), length)
            if all(ours[i] == theirs[j] for i, j in zip(one, other, strict=True))
        ]

    longest = next(found for n in range(7, -1, -1) if (found := alignments(n)))
    assert set(aligned_in_order(ours, theirs)) == set.intersection(*longest)


def test_names_that_agree_win_over_an_exchanged_call_order() -> None:
    ours = Torch("a b", a=tl(), b=tl())
    result = check(ours, Paddle("b a", a=pl(), b=pl()))
    assert not result
    assert not result.assumed
    assert {layer.name for layer in result.layers if not layer.state.passes} == {"a", "b", ""}


def test_other_names_pair_by_call_order_and_it_is_said() -> None:
    ours = Torch("a act b", a=tl(), act=torch.nn.ReLU(), b=tl(4, 2))
    result = check(ours, Paddle("first f second", first=pl(), f=paddle.nn.ReLU(), second=pl(4, 2)))
    assert result, result.failures
    assert assumed(result) == [("a", "first", BY_ORDER), ("b", "second", BY_ORDER)]
    assert [layer.name for layer in result.layers] == ["a", "b", ""]
    assert [call.path for call in result.torch_only] == ["act"]
    assert [call.path for call in result.paddle_only] == ["f"]


def test_a_call_order_that_registration_contradicts_is_said_to_be_one() -> None:
    ours = Torch("a b", a=tl(), b=tl())
    result = check(ours, Paddle("y x", x=pl(), y=pl()))
    assert result, result.failures
    assert assumed(result) == [("a", "y", AGAINST), ("b", "x", AGAINST)]


def test_another_call_order_pairs_what_is_the_only_one_of_its_kind() -> None:
    class Branches(Torch):
        def forward(self, x: Any) -> Any:
            return self.a(x).sum() + self.b(x).sum()

    class Others(Paddle):
        def forward(self, x: Any) -> Any:
            return self.y(x).sum() + self.z(x).sum()

    result = check(Branches(a=tl(), b=tl(4, 2)), Others(y=pl(4, 2), z=pl()))
    assert result, result.failures
    assert sorted(assumed(result)) == [("a", "z", BY_SHAPE), ("b", "y", BY_SHAPE)]


def test_what_could_have_either_of_two_partners_has_none_and_both_lists_are_given() -> None:
    ours = Torch("a b c", a=tl(), b=tl(), c=tl(4, 2))
    result = check(ours, Paddle("x z", x=pl(), z=pl(4, 2)))
    assert not result
    assert [(call.path, call.kind) for call in result.torch_only] == [
        ("a", "Linear"),
        ("b", "Linear"),
    ]
    assert [call.path for call in result.paddle_only] == ["x"]
    assert any("torch layer a (Linear, call 0) has weights and no partner" in line
               for line in result.failures)  # fmt: skip
    loaded = check(ours, Paddle("x z", x=pl(), z=pl(4, 2)), transfer=False)
    assert [call.path for call in loaded.torch_only if call.weights] == ["a", "b"]
    assert [call.path for call in loaded.paddle_only if call.weights] == ["x"]


def test_a_layer_more_at_the_end_leaves_the_rest_paired() -> None:
    ours = Torch("a b c", a=tl(4, 2), b=tl(2, 4), c=tl(4, 2))
    result = check(ours, Paddle("x y", x=pl(4, 2), y=pl(2, 4)), transfer=False)
    assert assumed(result) == [("a", "x", BY_ORDER), ("b", "y", BY_ORDER)]
    assert [call.path for call in result.torch_only if call.weights] == ["c"]


def test_numbers_that_mean_other_layers_are_no_names() -> None:
    ours = torch.nn.Sequential(tl(), torch.nn.Dropout(0.5), torch.nn.ReLU(), tl(), torch.nn.Tanh())
    theirs = paddle.nn.Sequential(pl(), paddle.nn.ReLU(), pl(), paddle.nn.Tanh())
    result = check(ours, theirs)
    assert result, result.failures
    assert assumed(result) == [("3", "2", BY_ORDER)]
    # Not the dropout with the activation of the same number.
    assert {layer.name: layer.paddle_kind for layer in result.layers} == {
        "0": "Linear", "3": "Linear", "": "Sequential"
    }  # fmt: skip
