"""Names and layouts of weights, layer kind by layer kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import torch
from paddle import nn as pn
from torch import nn as tn

from parity.inputs import seed_weights
from parity.traps.tools import carry, gap, in_both, normal
from parity.traps.trap import Measured, several, trap
from parity.weights import transfer


def _as_it_is(module: tn.Module, layer: Any) -> Any:
    """Load torch's tensors under the same names, as a copy by name does."""
    layer.set_state_dict({k: paddle.to_tensor(v.numpy()) for k, v in module.state_dict().items()})
    return layer


@trap(
    23,
    "linear-untransposed",
    torch="weight [out, in]",
    paddle="weight [in, out]; a square one loads without a word",
    mend="transpose, by the layer's kind",
)
def linear_untransposed() -> Measured:
    """A square Linear."""
    ours, theirs = in_both(normal(4, 16))
    module, layer = tn.Linear(16, 16), pn.Linear(16, 16)
    before = gap(module(ours), _as_it_is(module, layer)(theirs))
    return Measured(before, gap(module(ours), carry(module, layer)(theirs)))


@trap(
    24,
    "compat-linear",
    torch="weight [out, in]",
    paddle="weight [out, in] again; whoever transposes every Linear breaks it",
    mend="look at the target's class",
)
def compat_linear() -> Measured:
    """paddle.compat.nn.Linear."""
    ours, theirs = in_both(normal(4, 16))
    module, layer = tn.Linear(16, 16), paddle.compat.nn.Linear(16, 16)
    layer.weight.set_value(module.weight.detach().numpy().T)
    layer.bias.set_value(module.bias.detach().numpy())
    before = gap(module(ours), layer(theirs))
    return Measured(before, gap(module(ours), carry(module, layer)(theirs)))


@trap(
    25,
    "embedding",
    torch="2-D and not transposed; the row of padding_idx is returned as it is",
    paddle="the same layout, so 'transpose what is 2-D' breaks it; that row is always 0",
    mend="by kind; set the row to 0 in torch, or leave padding_idx out in Paddle",
)
def embedding() -> Measured:
    """Embedding."""
    ours, theirs = in_both(np.arange(8))
    module, layer, padded = (
        tn.Embedding(8, 8),
        pn.Embedding(8, 8),
        pn.Embedding(8, 8, padding_idx=3),
    )
    layer.weight.set_value(module.weight.detach().numpy().T)
    transposed = gap(module(ours), layer(theirs))
    trained = tn.Embedding(8, 8, padding_idx=3)
    with torch.no_grad():
        trained.weight[3] = 7.0
    padded.weight.set_value(trained.weight.detach().numpy())
    row = gap(trained(ours), padded(theirs))
    return several(
        {
            "transposed": (transposed, gap(module(ours), carry(module, layer)(theirs))),
            "padding row": (row, gap(trained(ours), carry(trained, layer)(theirs))),
        }
    )


@trap(
    26,
    "attention-packed",
    torch="in_proj_weight [3·d, d], query, key and value in one",
    paddle="q_proj, k_proj, v_proj, each [in, out]",
    mend="split, then transpose each",
)
def attention_packed() -> Measured:
    """MultiheadAttention's projections."""
    ours, theirs = in_both(normal(2, 5, 8))
    module, layer = tn.MultiheadAttention(8, 2, batch_first=True), pn.MultiHeadAttention(8, 2)
    seed_weights(module, 26)
    carry(module, layer)
    expected = module(ours, ours, ours)[0]
    after = gap(expected, layer(theirs))
    for part in (layer.q_proj, layer.k_proj, layer.v_proj):
        part.weight.set_value(part.weight.numpy().T)
    return Measured(gap(expected, layer(theirs)), after, "split, but not transposed")


@trap(
    27,
    "mask-inverted",
    torch="True drops",
    paddle="True keeps",
    mend="invert it",
)
def mask_inverted() -> Measured:
    """A boolean attention mask."""
    ours, theirs = in_both(normal(2, 5, 8))
    module, layer = tn.MultiheadAttention(8, 2, batch_first=True), pn.MultiHeadAttention(8, 2)
    seed_weights(module, 27)
    carry(module, layer)
    drop = np.triu(np.ones((5, 5), bool), 1)
    expected = module(ours, ours, ours, attn_mask=torch.from_numpy(drop))[0]
    return Measured(
        gap(expected, layer(theirs, attn_mask=paddle.to_tensor(drop))),
        gap(expected, layer(theirs, attn_mask=paddle.to_tensor(~drop))),
    )


@trap(
    28,
    "recurrent-names-and-layout",
    torch="batch_first=False",
    paddle="batch first; the state dict holds every tensor twice, as 0.cell.* too",
    mend="time_major=True or batch_first=True; a list of second names",
)
def recurrent_layout() -> Measured:
    """LSTM and GRU."""
    ours, theirs = in_both(normal(4, 4, 3))
    module, layer = tn.LSTM(3, 5, 2), pn.LSTM(3, 5, 2)
    extra = len(set(layer.state_dict()) - set(module.state_dict()))
    carry(module, layer)
    major = carry(module, pn.LSTM(3, 5, 2, time_major=True))
    expected = module(ours)[0]
    left = len(set(layer.state_dict()) - set(transfer(module, layer)))
    return several(
        {
            "output": (gap(expected, layer(theirs)[0]), gap(expected, major(theirs)[0])),
            "keys called missing": (extra, left),
        }
    )


@trap(
    29,
    "lstm-projection",
    torch="weight_hr_l0 [proj, hidden]",
    paddle="0.cell.weight_ho [hidden, proj]",
    mend="rename and transpose",
)
def lstm_projection() -> Measured:
    """An LSTM's projection."""
    ours, theirs = in_both(normal(2, 4, 3))
    module, layer = tn.LSTM(3, 4, proj_size=2, batch_first=True), pn.LSTM(3, 4, proj_size=2)
    seed_weights(module, 29)
    before = gap(module(ours)[0], _as_it_is(module, layer)(theirs)[0])
    return Measured(before, gap(module(ours)[0], carry(module, layer)(theirs)[0]))


@trap(
    30,
    "prelu-name",
    torch="weight",
    paddle="_weight; a copy by name leaves 0.25",
    mend="rename",
)
def prelu_name() -> Measured:
    """PReLU's slope."""
    ours, theirs = in_both(normal(2, 3, 4))
    module, layer = tn.PReLU(3), pn.PReLU(3)
    seed_weights(module, 30)
    before = gap(module(ours), _as_it_is(module, layer)(theirs))
    return Measured(before, gap(module(ours), carry(module, layer)(theirs)))
