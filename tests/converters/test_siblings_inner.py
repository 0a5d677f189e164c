"""Without a target network: recurrent layers and attentions, whose names hold dots in Paddle."""

import numpy as np
import paddle
import pytest
from samples import bits
from sibling_plans import entry, plan_of, shapes_with, state, written
from torch import nn as tn


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
