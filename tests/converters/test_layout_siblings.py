"""Without a target network: layers are told by their tensors, by their neighbours, or by rules."""

from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from samples import array_tensor, bits
from torch import nn as tn
from torch.nn.utils import prune

from converters import InputError, RefusedError, convert_state_dict, plan_conversion
from converters.checkpoint import Checkpoint
from converters.elements import target_arrays
from converters.plan import ConversionPlan
from converters.state_dict import lazy
from converters.user_rules import UserRules, read_rules


def shapes(framework: str = "torch", **found: tuple[int, ...]) -> Checkpoint:
    tensors = {
        key.replace("__", "."): array_tensor(np.arange(np.prod(shape), dtype="f4").reshape(shape))
        for key, shape in found.items()
    }
    return Checkpoint(Path("some"), "pdparams" if framework == "paddle" else "torch-zip", tensors)


def state(network: object, form: str) -> Checkpoint:
    tensors = {key: lazy(key, value) for key, value in network.state_dict().items()}
    return Checkpoint(Path("some"), form, tensors)


def plan_of(
    checkpoint: Checkpoint, tensors: dict[str, str] | None = None, **kinds: str
) -> ConversionPlan:
    to = "torch" if checkpoint.framework == "paddle" else "paddle"
    said = {key.replace("__", r"\."): kind for key, kind in kinds.items()}
    return plan_conversion(checkpoint, to=to, rules=UserRules.of(kinds=said, tensors=tensors))


def entry(plan: ConversionPlan, target: str) -> tuple[str, tuple[int, ...]]:
    found = next(one for one in plan.entries if target in one.targets)
    return found.action, found.shape


def written(plan: ConversionPlan) -> dict[str, np.ndarray]:
    plan.require_complete()
    found: dict[str, np.ndarray] = {}
    for one in plan.entries:
        found.update(target_arrays(plan.checkpoint, one))
    return found


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
    assert plan_of(shapes(**SQUARE)).problems == ()
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


@pytest.mark.parametrize(
    ("kind", "shape"), [("parameter", (4, 4)), ("layer_norm", (16,)), ("conv", (4, 4))]
)
def test_a_user_is_believed_where_axes_alone_speak(kind: str, shape: tuple[int, ...]) -> None:
    plan = plan_of(shapes(**SQUARE), b=kind)
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


def test_tensors_beside_a_linears_own_are_asked_about() -> None:
    adapted = shapes(
        a__weight=(8, 8), a__bias=(8,), a__lora_A=(4, 8), a__lora_B=(8, 4)
    )  # fmt: skip
    problems = plan_of(adapted).problems
    assert len(problems) == 2
    assert "'lora_A', which that has not, is copied" in problems[0]
    assert len(plan_of(adapted, {"a.lora_A": "linear"}).problems) == 1
    told = plan_of(adapted, {"a.lora_A": "linear", "a.lora_B": "parameter"})
    assert told.problems == ()
    assert entry(told, "a.weight")[0] == "transpose"
    assert entry(told, "a.lora_A") == ("transpose", (8, 4))
    assert entry(told, "a.lora_B") == ("copy", (8, 4))


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


def test_lone_tensors_can_be_told_one_by_one() -> None:
    """A pattern for a layer does not reach what it holds besides."""
    lone = shapes("paddle", pos=(4, 6), mat=(4, 6))
    assert len(plan_of(lone).problems) == 1
    assert len(plan_of(lone, {"mat": "linear"}).problems) == 1
    told = plan_of(lone, {"mat": "linear", "pos": "parameter"})
    assert told.problems == ()
    assert (entry(told, "mat"), entry(told, "pos")) == (("transpose", (6, 4)), ("copy", (4, 6)))


def test_scale_and_bias_of_paddle_are_an_assumption() -> None:
    (problem,) = plan_of(shapes("paddle", a__scale=(4,), a__bias=(4,))).problems
    assert "'a' is of kind instance_norm; a layer of one's own may have such tensors" in problem
    told = plan_of(shapes("paddle", a__scale=(4,), a__bias=(4,)), a="instance_norm")
    assert (told.problems, entry(told, "a.weight")) == ((), ("rename", (4,)))


@pytest.mark.parametrize("name", ["in1", "instance_norm", "conv_instnorm", "InstanceNorm2d"])
def test_a_norm_with_statistics_that_is_called_an_instance_norm_is_doubted(name: str) -> None:
    norm = {f"{name}__{one}": (3,) for one in ("weight", "bias", "running_mean", "running_var")}
    (problem,) = plan_of(shapes(**norm)).problems
    assert "by its name it is an InstanceNorm with running statistics" in problem
    assert plan_of(shapes(**norm), **{name: "batch_norm"}).problems == ()


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


# Recurrent layers of Paddle, whose names hold dots.


def blocks(library: object, cell: object, *, more: bool = False) -> object:
    """Return a list of layers that have a layer called ``cell``, perhaps beside another."""
    kind = library.Module if library is tn else library.Layer
    many = library.ModuleList if library is tn else library.LayerList

    def block() -> object:
        found = kind()
        found.cell = cell()
        if more:
            found.norm = library.LayerNorm(3)
        return found

    network = kind()
    network.blocks = many([block(), block()])
    return network


def test_cells_of_a_list_keep_their_names() -> None:
    """Only in Paddle could they be a recurrent layer's, and there they are asked about."""
    ours = blocks(tn, lambda: tn.LSTMCell(3, 3))
    there = plan_of(state(ours, "torch-zip"))
    assert there.problems == ()
    theirs = blocks(paddle.nn, lambda: paddle.nn.LSTMCell(3, 3))
    assert set(written(there)) == set(theirs.state_dict())
    (problem,) = plan_of(state(theirs, "pdparams")).problems
    assert "'blocks' is of kind recurrent; a list of layers with a cell each" in problem
    told = plan_of(state(theirs, "pdparams"), **{r"blocks\.\d\.cell": "recurrent_cell"})
    assert set(written(told)) == set(ours.state_dict())


def test_what_else_a_block_holds_tells_that_it_is_no_recurrent_layer() -> None:
    theirs = blocks(paddle.nn, lambda: paddle.nn.LSTMCell(3, 3), more=True)
    plan = plan_of(state(theirs, "pdparams"), **{".*norm": "layer_norm"})
    assert plan.problems == ()
    assert "blocks.1.cell.weight_ih" in written(plan)
    ours = blocks(tn, lambda: tn.Conv2d(3, 3, 1))
    assert set(written(plan_of(state(ours, "torch-zip")))) == set(ours.state_dict())
    theirs = blocks(paddle.nn, lambda: paddle.nn.Conv2D(3, 3, 1))
    assert set(written(plan_of(state(theirs, "pdparams")))) == set(theirs.state_dict())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2, "bidirectional": True},
        {"proj_size": 2, "num_layers": 2},
    ],
)
def test_recurrent_layers_get_the_second_names_that_paddle_gives_them(options: dict) -> None:
    ours = tn.Sequential(tn.LSTM(3, 4, **options))
    plan = plan_of(state(ours, "torch-zip"))
    arrays = written(plan)
    direction = "bidirect" if options.get("bidirectional") else "forward"
    sizes = {key: options[key] for key in ("num_layers", "proj_size") if key in options}
    theirs = paddle.nn.Sequential(paddle.nn.LSTM(3, 4, direction=direction, **sizes))
    seconds = dict(plan.layout.paddle_aliases)
    assert set(arrays) | set(seconds) == set(theirs.state_dict())
    loaded = arrays | {second: arrays[first] for second, first in seconds.items()}
    assert theirs.set_state_dict(loaded) == ([], [])
    found = {k: np.asarray(v.numpy()) for k, v in theirs.state_dict().items()}
    assert {k: bits(v) for k, v in found.items()} == {k: bits(v) for k, v in loaded.items()}
    back = written(plan_of(state(theirs, "pdparams")))
    assert {key: bits(value) for key, value in back.items()} == {
        key: bits(value) for key, value in ours.state_dict().items()
    }


def test_a_row_as_bias_is_a_bilinears() -> None:
    plan = plan_of(shapes("paddle", a__weight=(4, 2, 3), a__bias=(1, 4)))
    assert (plan.problems, entry(plan, "a.bias")) == ((), ("copy", (4,)))
    (problem,) = plan_of(shapes(a__weight=(4, 2, 3), a__bias=(4,))).problems
    assert "a Bilinear has such tensors too" in problem


def test_what_a_kind_does_not_have_is_never_copied_silently() -> None:
    extra = shapes(a__weight=(4,), a__bias=(4,), a__running_mean=(4,), a__running_var=(4,), a__x=())
    (problem,) = plan_of(extra).problems
    assert "'a' is of kind batch_norm, and 'x', which that has not, is copied" in problem
    pruned = prune.l1_unstructured(tn.Linear(3, 3), "weight", 0.5)
    problems = plan_of(state(tn.Sequential(pruned), "torch-zip")).problems
    assert len(problems) == 2
    for problem in problems:
        assert "'0' is of kind linear" in problem
        assert "torch.nn.utils.prune.remove" in problem


@pytest.mark.parametrize("dim", [None, 0, 1, 3])
def test_norms_of_paddle_get_their_axes_back(dim: int | None) -> None:
    ours, theirs = tn.Conv2d(2, 3, (4, 5)), paddle.nn.Conv2D(2, 3, (4, 5))
    tn.utils.weight_norm(ours, dim=dim)
    paddle.nn.utils.weight_norm(theirs, dim=dim)
    source = convert_state_dict(ours.state_dict(), theirs)
    arrays = written(plan_of(shapes_with(source, "pdparams")))
    assert {key: array.shape for key, array in arrays.items()} == {
        key: tuple(value.shape) for key, value in ours.state_dict().items()
    }
    assert all(bits(array) == bits(ours.state_dict()[key]) for key, array in arrays.items())


def test_a_square_weight_norm_of_paddle_gets_the_axis_that_the_user_says() -> None:
    source = shapes("paddle", a__weight_g=(4,), a__weight_v=(4, 4), a__bias=(4,))
    (problem,) = plan_of(source).problems
    assert "'a.weight_g' runs along torch's axis 0, where paddle's own default is 1" in problem
    for axis, shape in ((0, (4, 1)), (1, (1, 4))):
        told = plan_of(source, {r"a\.weight_g": f"norm_along_{axis}"})
        assert told.problems == ()
        assert entry(told, "a.weight_g") == ("copy", shape)


def shapes_with(arrays: dict[str, np.ndarray], form: str) -> Checkpoint:
    return Checkpoint(Path("some"), form, {k: array_tensor(v) for k, v in arrays.items()})


def test_out_proj_of_an_attention_is_a_linear_without_a_bias_too() -> None:
    plan = plan_of(state(tn.MultiheadAttention(4, 2, bias=False), "torch-zip"))
    assert plan.problems == ()
    assert entry(plan, "out_proj.weight")[0] == "transpose"
    assert entry(plan, "q_proj.weight")[0] == "split"


def test_four_projections_of_paddle_are_asked_about() -> None:
    source = state(paddle.nn.MultiHeadAttention(4, 2), "pdparams")
    problems = plan_of(source).problems
    assert len(problems) == 4
    assert "torch packs it if '' is a MultiHeadAttention" in problems[0]
    merged = plan_of(source, **{"": "attention"})
    assert merged.counts == {"transpose": 1, "copy": 1, "merge": 2}
    apart = plan_of(source, **{"._proj": "linear", "out_proj": "linear"})
    assert apart.problems == ()
    assert apart.counts == {"transpose": 4, "copy": 4}


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


NORMS = {r".*norm\d?": "layer_norm"}


def test_a_decoder_without_a_target_there_and_back() -> None:
    """The second attention of a layer has another name in Paddle."""
    ours = tn.TransformerDecoder(tn.TransformerDecoderLayer(4, 2, 6), 2, tn.LayerNorm(4))
    theirs = paddle.nn.TransformerDecoder(
        paddle.nn.TransformerDecoderLayer(4, 2, 6), 2, paddle.nn.LayerNorm(4)
    )
    arrays = written(plan_of(state(ours, "torch-zip"), **NORMS))
    assert theirs.set_state_dict(arrays) == ([], [])
    assert set(arrays) == set(theirs.state_dict())
    told = {**NORMS, ".*_attn": "attention"}
    back = written(plan_of(shapes_with(arrays, "pdparams"), **told))
    assert set(back) == set(ours.state_dict())
    assert all(bits(array) == bits(ours.state_dict()[key]) for key, array in back.items())


def test_another_attention_of_that_name_keeps_it() -> None:
    network = tn.Module()
    network.multihead_attn = tn.MultiheadAttention(4, 2)
    plan = plan_of(state(network, "torch-zip"))
    assert plan.problems == ()
    assert entry(plan, "multihead_attn.q_proj.weight")[0] == "split"


def test_rules_tell_what_a_target_cannot() -> None:
    source = tn.Sequential(tn.BatchNorm2d(3), tn.BatchNorm2d(3)).state_dict()
    del source["1.num_batches_tracked"]
    source["1.weight"] -= 3
    target = paddle.nn.Sequential(paddle.nn.BatchNorm2D(3), paddle.nn.BatchNorm2D(3))
    with pytest.raises(RefusedError, match=r"whether it is of kind inplace_abn .* or batch_norm"):
        convert_state_dict(source, target)
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


def test_a_tracked_instance_norm_in_a_file_is_refused_with_the_reason() -> None:
    norm = tn.Sequential(tn.InstanceNorm2d(3, affine=True, track_running_stats=True))
    plan = plan_of(state(norm, "torch-zip"), **{"0": "instance_norm"})
    assert len(plan.problems) == 3
    assert "Paddle keeps no running statistics" in plan.problems[0]
    assert torch.equal(norm[0].running_mean, torch.zeros(3))
