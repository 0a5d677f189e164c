"""Recurrent layers and their cells."""

from __future__ import annotations

from typing import Any

from paddle import nn as pn
from torch import nn as tn

from layer_pairs.registry import N, Pair, Random, coin, flat, kind, normal, sizes


@kind("rnn", name="RNN")
@kind("lstm", name="LSTM")
@kind("gru", name="GRU")
@kind("rnn_bidirectional_3_layers", name="RNN", both=True, layers=3)
@kind("lstm_bidirectional_3_layers", name="LSTM", both=True, layers=3)
@kind("gru_bidirectional_3_layers", name="GRU", both=True, layers=3)
@kind("gru_without_bias", name="GRU", bias=False, layers=2)
@kind("lstm_projected", name="LSTM", projected=True)
@kind("lstm_projected_2_layers", name="LSTM", projected=True, layers=2, both=False)
@kind("lstm_projected_bidirectional_2_layers", name="LSTM", projected=True, layers=2, both=True)
@kind("lstm_projected_without_bias", name="LSTM", projected=True, bias=False)
def recurrent(
    random: Random,
    square: bool,
    name: str,
    *,
    projected: bool = False,
    layers: int = 0,
    both: bool | None = None,
    bias: bool | None = None,
) -> Pair:
    inner, hidden = sizes(random, 2, square=square, low=3)
    layers = layers or int(random.integers(1, 4))
    both = coin(random) if both is None else both
    bias = (square or coin(random)) if bias is None else bias
    options: dict[str, Any] = {}
    if projected:
        options["proj_size"] = int(random.integers(1, hidden))
    make = getattr(pn, "SimpleRNN" if name == "RNN" else name)
    theirs = make(inner, hidden, layers, "bidirect" if both else "forward", **options)
    return Pair(
        getattr(tn, name)(
            inner, hidden, layers, bidirectional=both, bias=bias, batch_first=True, **options
        ),
        theirs,
        (normal(random, N, 4, inner),),
        # Paddle's recurrent kernel keeps what the backward pass needs in training alone.
        training=True,
        # Paddle 3.3 fails to build most of these without biases.
        extra="" if bias else r"bias|_l\d",
    )


@kind("rnn_cell", name="RNNCell")
@kind("lstm_cell", name="LSTMCell")
@kind("gru_cell", name="GRUCell")
def recurrent_cell(random: Random, square: bool, name: str) -> Pair:
    inner, hidden = sizes(random, 2, square=square)
    bias = square or coin(random)
    attr = None if bias else False
    theirs = getattr(pn, "SimpleRNNCell" if name == "RNNCell" else name)
    # Beside the input the state, without which the recurrent weights would have no effect.
    count = 3 if name == "LSTMCell" else 2
    inputs = [normal(random, N, size) for size in (inner, hidden, hidden)[:count]]

    def run(cell: Any, x: Any, *state: Any) -> Any:
        return cell(x, state if len(state) > 1 else state[0])

    return Pair(
        getattr(tn, name)(inner, hidden, bias=bias),
        theirs(inner, hidden, bias_ih_attr=attr, bias_hh_attr=attr),
        tuple(inputs),
        run_torch=run,
        # Paddle's cells give the output beside the state that holds it.
        run_paddle=lambda cell, *given: flat(run(cell, *given))[1:],
        # Without biases Paddle keeps zeros.
        extra="" if bias else "bias",
    )
