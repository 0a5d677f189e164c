"""Where the frameworks' own layers return the same tensors in other places.

Data: for a pair of classes, paddle's slots and the torch slots in which the same values lie. What a
paddle layer does not return (an attention its weights, unless asked) is not compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parity.record import Record, Value

#: torch class and paddle class: torch slot by paddle slot. Sources: the docstrings of `forward` in
#: torch/nn/modules/{rnn,activation}.py and paddle/nn/layer/{rnn,transformer}.py.
PLACES: dict[tuple[str, str], Mapping[str, str]] = {
    # torch gives (h, c), paddle (h, (h, c)).
    ("LSTMCell", "LSTMCell"): {"0": "0", "1.0": "0", "1.1": "1"},
    # torch gives h, paddle (h, h).
    ("GRUCell", "GRUCell"): {"0": "", "1": ""},
    ("RNNCell", "SimpleRNNCell"): {"0": "", "1": ""},
    # torch gives (output, weights averaged over heads), paddle the output, with need_weights=True
    # (output, weights of each head).
    ("MultiheadAttention", "MultiHeadAttention"): {"": "0", "0": "0"},
}


def other_places(ours: Record, theirs: Record) -> Mapping[str, str] | None:
    """Give torch's slot by paddle's slot of what a call returned; None if they are the same."""
    places = PLACES.get((ours.kind, theirs.kind))
    if places is None or _agree(ours.outputs, theirs.outputs):
        return None
    found = {value.slot for value in ours.outputs}
    slots = (value.slot for value in theirs.outputs)
    return {slot: places[slot] for slot in slots if places.get(slot) in found} or None


def _agree(ours: tuple[Value, ...], theirs: tuple[Value, ...]) -> bool:
    """Tell whether slots and shapes are the same, as in a user's class of the same name."""
    shapes = ({value.slot: value.array.shape for value in side} for side in (ours, theirs))
    return next(shapes) == next(shapes)
