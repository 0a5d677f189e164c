"""Without a target network: what a matrix is, and in which order its axes lie."""

from pathlib import Path

import paddle
import pytest
import torch
from samples import bits
from sibling_plans import entry, plan_of, shapes, state
from torch import nn as tn
from torch.nn.utils import prune

from converters import RefusedError, convert_state_dict
from converters.checkpoint import Checkpoint
from converters.state_dict import lazy
from converters.user_rules import UserRules


def test_a_bias_of_the_weights_shape_is_a_layer_norms() -> None:
    plan = plan_of(shapes(a__weight=(4, 4), a__bias=(4, 4), b__weight=(2, 3, 4), b__bias=(2, 3, 4)))
    assert plan.problems == ()
    assert entry(plan, "a.weight") == ("copy", (16,))
    assert entry(plan, "b.bias") == ("copy", (24,))


def test_a_bias_tells_which_axis_of_a_matrix_is_the_output() -> None:
    linear = plan_of(shapes("paddle", a__weight=(3, 5), a__bias=(5,)))
    assert (linear.problems, entry(linear, "a.weight")) == ((), ("transpose", (5, 3)))
    compat = plan_of(shapes("paddle", a__weight=(5, 3), a__bias=(5,)))
    assert (compat.problems, entry(compat, "a.weight")) == ((), ("copy", (5, 3)))
    (problem,) = plan_of(shapes(a__weight=(3, 5), a__bias=(5,))).problems
    assert (
        "'a' is of kind parameter; weight [3, 5] and bias [5] are no Linear's of torch" in problem
    )
    settled = plan_of(shapes(a__weight=(3, 5), a__bias=(5,)), a="parameter")
    assert (settled.problems, entry(settled, "a.weight")) == ((), ("copy", (3, 5)))


TURNED = {"a__weight": (4, 12), "a__bias": (12,)}


SQUARE = {"b__weight": (4, 4), "b__bias": (4,)}


def test_a_square_matrix_is_doubted_where_others_have_the_other_order() -> None:
    """Of a Conv1D of transformers, or of Paddle's file taken for torch's, only some layers tell."""
    turned, square = plan_of(shapes(**TURNED, **SQUARE)).problems
    assert "have Paddle's order, as a Conv1D of transformers has" in turned
    assert "say --to torch" in turned
    assert (
        "'b' is of kind linear; its weight is square, and other layers have the order of 'a'"
        in (square)
    )
    told = plan_of(shapes(**TURNED, **SQUARE), a="parameter", b="parameter")
    assert (told.problems, told.counts) == ((), {"copy": 4})
    half = plan_of(shapes(**TURNED, **SQUARE), a="parameter")
    assert len(half.problems) == 1
    theirs = plan_of(
        shapes("paddle", b__weight=(4, 4), b__bias=(4,), a__weight=(12, 4), a__bias=(12,))
    )
    assert len(theirs.problems) == 1


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_a_square_matrix_is_told_by_others_alone(framework: str) -> None:
    """A Conv1D of transformers, and a Linear of paddle.compat, have the other framework's order."""
    (problem,) = plan_of(shapes(framework, **SQUARE)).problems
    assert "'b' is of kind linear; its weight is square, and no other layer tells" in problem
    usual = (4, 12) if framework == "paddle" else (12, 4)
    beside = shapes(framework, **SQUARE, a__weight=usual, a__bias=(12,))
    assert (plan_of(beside).problems, entry(plan_of(beside), "b.weight")[0]) == ((), "transpose")
    mixed = shapes(
        framework, **SQUARE, a__weight=usual, a__bias=(12,), c__weight=usual[::-1], c__bias=(12,)
    )
    assert any("'b' is of kind linear; its weight is square" in x for x in plan_of(mixed).problems)
    for kind, action in (("linear", "transpose"), ("parameter", "copy")):
        told = plan_of(shapes(framework, **SQUARE), b=kind)
        assert (told.problems, entry(told, "b.weight")[0]) == ((), action)


def test_a_square_matrix_that_others_tell_is_a_hint() -> None:
    """A layer of one's own may lie otherwise all the same, and nothing in the file would tell."""
    usual = {"a__weight": (12, 4), "a__bias": (12,)}
    (hint,) = plan_of(shapes(**SQUARE, **usual)).hints
    assert "'b': square, and laid out as the file's other matrices tell" in hint
    assert plan_of(shapes(**SQUARE, **usual), b="linear").hints == ()
    packed = plan_of(state(tn.MultiheadAttention(4, 2), "torch-zip"))
    assert packed.hints == ()


def test_a_square_matrix_called_as_a_conv1d_of_transformers_is_doubted() -> None:
    called = {"h__c_proj__weight": (4, 4), "h__c_proj__bias": (4,)}
    (problem,) = plan_of(shapes(**called, score__weight=(3, 4), score__bias=(3,))).problems
    assert "'h.c_proj' is of kind linear; its weight is square, and by its name" in problem
    # CLIP calls Linears so, and its other matrices tell.
    assert plan_of(shapes(**called, h__c_fc__weight=(16, 4), h__c_fc__bias=(16,))).problems == ()


def test_an_attention_tells_the_order_of_square_matrices_too() -> None:
    layer = tn.TransformerEncoderLayer(4, 2, 4)
    plan = plan_of(state(layer, "torch-zip"), **{r"norm\d": "layer_norm"})
    assert (plan.problems, entry(plan, "linear1.weight")[0]) == ((), "transpose")


@pytest.mark.parametrize("width", [4, 6])
def test_a_conv1d_of_transformers_is_never_transposed_silently(width: int, tmp_path: Path) -> None:
    """GPT-2's block: two of its matrices are wider than high, one is square."""
    sizes = {"c_attn": (width, 3 * width), "c_proj": (width, width), "c_fc": (width, 4 * width)}
    source = {}
    for name, size in sizes.items():
        source |= {f"{name}.weight": torch.randn(size), f"{name}.bias": torch.randn(size[1])}
    alone = {key: value for key, value in source.items() if key.startswith("c_proj")}
    for held in (source, alone):
        plan = plan_of(Checkpoint(Path("a"), "torch-zip", {k: lazy(k, v) for k, v in held.items()}))
        assert len(plan.problems) == len(held) / 2
    target = paddle.nn.Layer()
    for name, size in sizes.items():
        setattr(target, name, paddle.nn.Linear(*size))
    said = {"c_attn": "parameter", "c_fc": "parameter"}
    with pytest.raises(RefusedError, match=r"'c_proj' .* 'c_attn' lies otherwise") as caught:
        convert_state_dict(source, target, rules=UserRules.of(kinds=said))
    assert "pattern = 'c_proj'" in str(caught.value)
    rules = UserRules.of(kinds={"c_.*": "parameter"})
    found = convert_state_dict(source, target, rules=rules)
    assert all(bits(found[key]) == bits(value) for key, value in source.items())


def test_tensors_beside_a_linears_own_are_asked_about() -> None:
    adapted = shapes(
        a__weight=(9, 8), a__bias=(9,), a__lora_A=(4, 8), a__lora_B=(9, 4)
    )  # fmt: skip
    problems = plan_of(adapted).problems
    assert len(problems) == 2
    assert "'lora_A', which that has not, is copied" in problems[0]
    assert len(plan_of(adapted, {"a.lora_A": "linear"}).problems) == 1
    told = plan_of(adapted, {"a.lora_A": "linear", "a.lora_B": "parameter"})
    assert told.problems == ()
    assert entry(told, "a.weight")[0] == "transpose"
    assert entry(told, "a.lora_A") == ("transpose", (8, 4))
    assert entry(told, "a.lora_B") == ("copy", (9, 4))


def test_lone_tensors_can_be_told_one_by_one() -> None:
    """A pattern for a layer does not reach what it holds besides."""
    lone = shapes("paddle", pos=(4, 6), mat=(4, 6))
    assert len(plan_of(lone).problems) == 1
    assert len(plan_of(lone, {"mat": "linear"}).problems) == 1
    told = plan_of(lone, {"mat": "linear", "pos": "parameter"})
    assert told.problems == ()
    assert (entry(told, "mat"), entry(told, "pos")) == (("transpose", (6, 4)), ("copy", (4, 6)))


def test_what_a_file_shares_is_written_once() -> None:
    conv = tn.Conv2d(3, 3, 1)
    network = tn.Sequential(conv, tn.ReLU(), conv)
    plan = plan_of(state(network, "torch-zip"))
    assert plan.problems == ()
    assert plan.counts == {"copy": 2, "alias": 4}
    assert plan.layout.paddle_aliases == {"2.weight": "0.weight", "2.bias": "0.bias"}
    assert {key for one in plan.entries for key in one.sources} == set(network.state_dict())
    apart = state(tn.Sequential(conv, tn.ReLU(), tn.Conv2d(3, 3, 1)), "torch-zip")
    assert plan_of(apart).counts == {"copy": 4}


def test_a_head_tied_to_an_embedding_is_written_apart_and_says_so() -> None:
    network = tn.Module()
    network.emb, network.head = tn.Embedding(5, 3), tn.Linear(3, 5, bias=False)
    network.head.weight = network.emb.weight
    plan = plan_of(state(network, "torch-zip"), emb="embedding", head="linear")
    assert plan.problems == ()
    assert entry(plan, "head.weight") == ("transpose", (3, 5))
    (reason,) = (one.reason for one in plan.entries if one.target == "head.weight")
    assert "tied to 'emb', which has another layout" in reason


def test_a_row_as_bias_is_a_bilinears() -> None:
    plan = plan_of(shapes("paddle", a__weight=(4, 2, 3), a__bias=(1, 4)))
    assert (plan.problems, entry(plan, "a.bias")) == ((), ("copy", (4,)))
    (problem,) = plan_of(shapes(a__weight=(4, 2, 3), a__bias=(4,))).problems
    assert "a Bilinear has such tensors too" in problem


def test_what_a_kind_does_not_have_is_never_copied_silently() -> None:
    extra = shapes(a__weight=(4,), a__bias=(4,), a__running_mean=(4,), a__running_var=(4,), a__x=())
    (problem,) = plan_of(extra).problems
    assert "'a' is of kind batch_norm, and 'x', which that has not, is copied" in problem
    pruned = prune.l1_unstructured(tn.Linear(3, 4), "weight", 0.5)
    problems = plan_of(state(tn.Sequential(pruned), "torch-zip")).problems
    assert len(problems) == 2
    for problem in problems:
        assert "'0' is of kind linear" in problem
        assert "torch.nn.utils.prune.remove" in problem
