"""What the tensors of one layer say of its kind, and failing them its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from converters.rules import PARAMETER, PROJECTIONS

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


@dataclass(frozen=True)
class Evidence:
    """What a layer's tensors say.

    Attributes:
        kind: its kind, or the likeliest; '' if several are equally likely.
        doubt: what else it could be with another outcome; '' where nothing could.
    """

    kind: str
    doubt: str = ""


# The first whose names are all there tells the kind: names as regular expressions, the framework
# whose keys they are ('' for both), and whether nothing else may be there.
SIGNS = (
    (("running_var",), "", False, "batch_norm"),
    (("in_proj_weight",), "torch", False, "attention"),
    (tuple(f"{name}_weight" for name in PROJECTIONS), "torch", False, "attention"),
    (tuple(rf"{name}\.weight" for name in PROJECTIONS), "paddle", False, "attention"),
    ((r"weight_ih_l\d+(_reverse)?",), "", False, "recurrent"),
    ((r"\d+\.cell.*",), "paddle", False, "recurrent"),
    (("weight_ih", "weight_hh"), "", False, "recurrent_cell"),
    (("scale", "bias"), "paddle", True, "instance_norm"),
    (("_weight",), "paddle", True, "prelu"),
)
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


def evidence(own: Shapes, framework: str) -> Evidence:
    """Return what the tensors of one layer say of its kind.

    Args:
        own: shapes by name.
        framework: whose layouts they have.
    """
    for patterns, whose, alone, kind in SIGNS:
        found = [any(re.fullmatch(pattern, name) for name in own) for pattern in patterns]
        if all(found) and whose in ("", framework) and (not alone or len(own) == len(patterns)):
            return Evidence(kind)
    weight = weight_of(own)
    if weight is None:
        return free_parameters(own)
    return by_axes(weight, own.get("bias"), framework)


def weight_of(own: Shapes) -> Shape | None:
    """Return the shape of a layer's weight, seen through weight norm and spectral norm."""
    for name in ("weight", "weight_orig", "parametrizations.weight.original"):
        if name in own:
            return own[name]
    for norms, name in (
        ("weight_g", "weight_v"),
        ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    ):
        if norms in own and name in own:
            return own[name]
    return None


def free_parameters(own: Shapes) -> Evidence:
    """Return what tensors of no known name are: parameters that a user's own layer holds."""
    flat = [name for name, shape in own.items() if len(shape) == 2]
    also = f", and {flat[0]!r} has two axes and could be transposed" if flat else ""
    name = next(iter(own), "")
    return Evidence(PARAMETER.kind, f"{name!r} tells no kind and is copied as it is{also}")


def by_axes(weight: Shape, bias: Shape | None, framework: str) -> Evidence:
    """Return what the number of axes says of a layer with a weight, and a bias perhaps."""
    if len(weight) > 1 and bias == weight and framework == "torch":
        return Evidence("layer_norm")
    if len(weight) == 2:
        return two_axes(weight, bias, framework)
    if len(weight) == 3 and bias is not None and framework == "torch":
        return Evidence("conv", "a Bilinear has such tensors too, and Paddle's bias is then a row")
    if len(weight) > 2:
        return Evidence("bilinear" if bias is not None and len(bias) == 2 else "conv")
    return one_axis(bias, framework)


def two_axes(weight: Shape, bias: Shape | None, framework: str) -> Evidence:
    """Return what a matrix is: the bias has as many elements as a Linear has outputs."""
    if bias is None:
        return Evidence("", "a weight with two axes alone could be a Linear's or an Embedding's")
    first, last = weight
    if bias == ((first,) if framework == "torch" else (last,)):
        return Evidence("linear")
    if bias == (first,):
        return Evidence("compat_linear")
    what = f"weight {list(weight)} and bias {list(bias)} are no Linear's of {framework}"
    return Evidence(PARAMETER.kind, f"{what}; copied as they are")


def one_axis(bias: Shape | None, framework: str) -> Evidence:
    """Return what a vector is: the scale of a norm, most likely."""
    if framework == "paddle":
        doubt = "a LayerNorm over several axes, which torch keeps apart, has such tensors too"
        return Evidence("layer_norm", doubt)
    if bias is not None:
        doubt = "an InstanceNorm has such tensors too, called scale in Paddle"
        return Evidence("layer_norm", doubt)
    return Evidence("rms_norm", "a PReLU has such a tensor too, called _weight in Paddle")


def named(path: str) -> str:
    """Return the kind that a layer's name tells, '' if it tells none or several."""
    kinds = {kind for pattern, kind in NAMES if pattern.search(path.rpartition(".")[2])}
    return kinds.pop() if len(kinds) == 1 else ""
