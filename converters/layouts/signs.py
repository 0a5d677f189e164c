"""What tells a layer's kind: names of its tensors, and failing them its own name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from converters.rules import PROJECTIONS


@dataclass(frozen=True)
class Sign:
    """Names of tensors that tell a kind.

    Attributes:
        names: regular expressions; each must fit a name.
        kind: what they tell.
        framework: whose keys they are, '' for both.
        alone: nothing else may be there.
        doubt: what else has such names; '' where nothing has.
    """

    names: tuple[str, ...]
    kind: str
    framework: str = ""
    alone: bool = False
    doubt: str = ""


# The first that fits counts.
SIGNS = (
    Sign(("running_var",), "batch_norm"),
    Sign(("in_proj_weight",), "attention", "torch"),
    Sign(tuple(f"{name}_weight" for name in PROJECTIONS), "attention", "torch"),
    Sign(tuple(rf"{name}\.weight" for name in PROJECTIONS), "attention", "paddle"),
    Sign((r"weight_ih_l\d+(_reverse)?",), "recurrent"),
    Sign(
        (r"\d+\.cell.*",),
        "recurrent",
        "paddle",
        doubt="a list of layers with a cell each has such names too; the cells are then of kind "
        "recurrent_cell",
    ),
    Sign(("weight_ih", "weight_hh"), "recurrent_cell"),
    Sign(
        ("scale", "bias"),
        "instance_norm",
        "paddle",
        alone=True,
        doubt="a layer of one's own may have such tensors, called scale in torch too",
    ),
    Sign(("_weight",), "prelu", "paddle", alone=True),
)
# An instance norm that keeps statistics has a batch norm's tensors; only its name may tell.
INSTANCE = re.compile(r"inst(ance)?_?norm.*|in_?\d*|.*_inst(ance)?_?norm.*", re.IGNORECASE)
# A Conv1D of transformers, whose matrix lies as in Paddle's Linear; a Linear may be called so.
CONV1D = re.compile(r"(.*\.)?(c_(attn|proj|fc)|q_attn)")
# What a layer's name says where its tensors say nothing. Last resort, never silent.
NAMES = (
    (re.compile(r"emb|wte|wpe|token|vocab|lookup", re.IGNORECASE), "embedding"),
    (
        re.compile(
            r"fc|linear|proj|head|classifier|dense|mlp|lin\d|query|key|value", re.IGNORECASE
        ),
        "linear",
    ),
)
