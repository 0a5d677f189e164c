"""What the user's rules say of layers, beside tensors, against them, and against a target."""

from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from samples import bits
from sibling_plans import entry, plan_of, shapes, state, written
from torch import nn as tn

from converters import InputError, RefusedError, convert_state_dict, plan_conversion
from converters.user_rules import UserRules, read_rules


@pytest.mark.parametrize(
    ("kind", "shape"), [("parameter", (4, 4)), ("layer_norm", (16,)), ("conv", (4, 4))]
)
def test_a_user_is_believed_where_axes_alone_speak(kind: str, shape: tuple[int, ...]) -> None:
    plan = plan_of(shapes(b__weight=(4, 4), b__bias=(4,)), b=kind)
    assert plan.problems == ()
    assert entry(plan, "b.weight") == ("copy", shape)


@pytest.mark.parametrize(
    ("tensors", "kind"),
    [
        ({"a__weight": (4, 4, 3, 3)}, "linear"),
        ({"a__weight": (4,), "a__bias": (4,), "a__running_var": (4,)}, "layer_norm"),
        ({"a__in_proj_weight": (12, 4)}, "linear"),
    ],
)
def test_a_user_is_not_believed_against_names_and_axes(tensors, kind: str) -> None:
    problems = plan_of(shapes(**tensors), a=kind).problems
    assert any(f"--rules says {kind}, but its tensors say" in one for one in problems)


def test_a_refusal_gives_the_rules_to_paste(tmp_path: Path) -> None:
    source = shapes(
        **{f"blocks__{n}__norm__{one}": (4,) for n in (0, 10) for one in ("weight", "bias")},
        blocks__0__fc__weight=(4, 4), blocks__0__fc__bias=(4,), blocks__0__fc__lora=(4, 4),
        head__weight=(4, 4),
    )  # fmt: skip
    with pytest.raises(RefusedError) as caught:
        plan_of(source).require_complete()
    _, _, pasted = str(caught.value).partition("paste it into a file for --rules:")
    (tmp_path / "rules.toml").write_text(pasted)
    assert r"pattern = 'blocks\.\d+\.norm'" in pasted
    assert plan_conversion(source, rules=read_rules(tmp_path / "rules.toml")).problems == ()


def test_a_pasted_rule_reaches_no_other_layer(tmp_path: Path) -> None:
    """Layers that differ in a number alone may be of different kinds."""
    source = shapes(
        a__0__weight=(4,), a__0__bias=(4,),
        a__1__weight=(4,), a__1__bias=(4,), a__1__running_mean=(4,), a__1__running_var=(4,),
    )  # fmt: skip
    (tmp_path / "rules.toml").write_text(plan_of(source).mend.partition(":")[2])
    assert r"pattern = 'a\.0'" in plan_of(source).mend
    assert plan_conversion(source, rules=read_rules(tmp_path / "rules.toml")).problems == ()


def test_the_rule_to_paste_packs_an_attention_of_paddle(tmp_path: Path) -> None:
    theirs = paddle.nn.TransformerEncoder(paddle.nn.TransformerEncoderLayer(4, 2, 6), 2)
    source = state(theirs, "pdparams")
    (tmp_path / "rules.toml").write_text(plan_of(source).mend.partition(":")[2])
    plan = plan_conversion(source, to="torch", rules=read_rules(tmp_path / "rules.toml"))
    assert plan.problems == ()
    ours = tn.TransformerEncoder(tn.TransformerEncoderLayer(4, 2, 6), 2)
    assert set(written(plan)) == set(ours.state_dict())


def test_what_only_the_user_knows_is_not_pasted_blindly(tmp_path: Path) -> None:
    plan = plan_of(shapes(thing__weight=(4, 4)))
    (tmp_path / "rules.toml").write_text(plan.mend.partition(":")[2])
    with pytest.raises(InputError, match="unknown kind 'linear or embedding'"):
        read_rules(tmp_path / "rules.toml")


def test_rules_tell_what_a_target_cannot() -> None:
    source = tn.Sequential(tn.BatchNorm2d(3), tn.BatchNorm2d(3)).state_dict()
    del source["1.num_batches_tracked"]
    source["1.weight"] -= 3
    target = paddle.nn.Sequential(paddle.nn.BatchNorm2D(3), paddle.nn.BatchNorm2D(3))
    folded = convert_state_dict(source, target, rules=UserRules.of(kinds={"1": "inplace_abn"}))
    assert np.array_equal(folded["1.weight"], np.full(3, 2 + 1e-5, np.float32))
    plain = convert_state_dict(source, target, rules=UserRules.of(kinds={"1": "batch_norm"}))
    assert np.array_equal(plain["1.weight"], np.full(3, -2, np.float32))


def test_rules_against_the_target_are_refused() -> None:
    source, target = tn.Linear(3, 3).state_dict(), paddle.nn.Linear(3, 3)
    with pytest.raises(RefusedError, match=r"--rules says embedding, but in the network .* linear"):
        convert_state_dict(source, target, rules=UserRules.of(kinds={"": "embedding"}))


@pytest.mark.parametrize("outputs", [6, 4])
def test_a_layer_of_ones_own_may_become_a_linear(outputs: int) -> None:
    """A Conv1D of transformers keeps its weight as Paddle's Linear does."""
    weight, bias = torch.randn(6, outputs), torch.randn(outputs)
    source, target = {"weight": weight, "bias": bias}, paddle.nn.Linear(6, outputs)
    found = convert_state_dict(source, target, rules=UserRules.of(kinds={"": "parameter"}))
    assert bits(found["weight"]) == bits(weight)
    target.set_state_dict(found)
    assert np.allclose(target(paddle.ones([1, 6])).numpy(), weight.sum(0) + bias, atol=1e-5)
    if outputs == 4:
        with pytest.raises(RefusedError, match=r"shape \[6, 4\], expected \[4, 6\]"):
            convert_state_dict(source, target)


@pytest.mark.parametrize("kind", ["compat_linear", "embedding", "batch_norm"])
def test_a_kind_that_the_target_contradicts_is_refused(kind: str) -> None:
    rules = UserRules.of(kinds={"": kind})
    with pytest.raises(RefusedError, match=f"--rules says {kind}, but in the network it is of"):
        convert_state_dict(tn.Linear(3, 3).state_dict(), paddle.nn.Linear(3, 3), rules=rules)


def test_a_kind_for_no_layer_is_refused() -> None:
    with pytest.raises(InputError, match="--rules: no layer fits 'c'"):
        plan_of(shapes(a__weight=(2, 2), a__bias=(2,)), c="linear")
