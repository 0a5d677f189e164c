"""Recurrent layers and their cells: the same gates in the same order.

Paddle's state dict holds every tensor twice: in its cell (``0.cell.weight_ih``,
``1.cell_bw.bias_hh``) and under a name like torch's, given out by counting. The count goes wrong
where a cell has a projection or no bias (``weight_ih_l1`` is then another tensor), so the cell's
name counts here and the other is its twin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from converters.rules.rows import LayerRule, Shapes, TensorRule, copied

_TORCH = re.compile(r"(?:weight|bias)_(?:ih|hh|hr)_l(\d+)(_reverse)?")
_CELL = re.compile(r"(\d+)\.cell(_fw|_bw)?\.(weight_ih|weight_hh|bias_ih|bias_hh|weight_ho)")
_TENSORS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_PROJECTION_WHY = "LSTM projection: torch keeps [out, in], Paddle [in, out]"


def rows_of(shapes: Shapes, framework: str) -> tuple[TensorRule, ...]:
    """Return the rows of a recurrent layer: per layer and direction weights, biases, projection."""
    pattern = _TORCH if framework == "torch" else _CELL
    found = [match for name in shapes if (match := pattern.fullmatch(name))]
    depth = 1 + max((int(match[1]) for match in found), default=-1)
    both = any(match[2] for match in found)
    projected = any(match[0].endswith(("weight_ho",)) or "_hr_" in match[0] for match in found)
    cells = [
        (layer, direction, suffix)
        for layer in range(depth)
        for direction, suffix in ((("_fw", ""), ("_bw", "_reverse")) if both else (("", ""),))
    ]
    return tuple(row for cell in cells for row in _cell_rows(*cell, projected=projected))


def _cell_rows(layer: int, direction: str, suffix: str, *, projected: bool) -> Iterator[TensorRule]:
    cell = f"{layer}.cell{direction}"
    for name in _TENSORS:
        # Paddle 3.3 fails to build most layers without biases; zeros compute the same.
        bias = name.startswith("bias")
        yield TensorRule(f"{name}_l{layer}{suffix}", f"{cell}.{name}", zero=bias, made=bias)
    if projected:
        yield TensorRule(
            f"weight_hr_l{layer}{suffix}", f"{cell}.weight_ho", "transpose", _PROJECTION_WHY
        )


def twins_of(names: list[str]) -> Mapping[str, str]:
    """Return the twin names of a Paddle recurrent layer, each with the cell's name it stands for.

    Paddle gives the names out in this order, without looking at what they get
    (``RNNBase.__init__`` in paddle/nn/layer/rnn.py).

    Args:
        names: names present in the layer's state dict.
    """
    order = (*_TENSORS, "weight_ho")
    cells = sorted(
        (match for name in names if (match := _CELL.fullmatch(name))),
        key=lambda cell: (int(cell[1]), cell[2] == "_bw", order.index(cell[3])),
    )
    counted = [one for one in _TENSORS if any(cell[3] == one for cell in cells)]
    places = dict.fromkeys((cell[1], "_reverse" * (cell[2] == "_bw")) for cell in cells)
    twins = [f"{one}_l{layer}{suffix}" for layer, suffix in places for one in counted]
    return {twin: cell[0] for twin, cell in zip(twins, cells, strict=False)}


RECURRENT_RULES = (
    LayerRule(
        "recurrent",
        ("RNN", "LSTM", "GRU"),
        ("SimpleRNN", "LSTM", "GRU"),
        rows=rows_of,
        twins=twins_of,
        inner=_CELL.pattern,
    ),
    LayerRule(
        "recurrent_cell",
        ("RNNCell", "LSTMCell", "GRUCell"),
        ("SimpleRNNCell", "LSTMCell", "GRUCell"),
        (
            *copied("weight_ih", "weight_hh"),
            *(TensorRule(name, name, zero=True) for name in ("bias_ih", "bias_hh")),
            # torch's LSTMCell has none.
            TensorRule("weight_hr", "weight_ho", "transpose", _PROJECTION_WHY),
        ),
    ),
)
