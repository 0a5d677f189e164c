"""What the tensors of one layer say of its kind, and failing them its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from converters.layouts.signs import INSTANCE, NAMES, SIGNS, Sign
from converters.rules import PARAMETER

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


@dataclass(frozen=True)
class Evidence:
    """What a layer's tensors say.

    Attributes:
        kind: its kind, or the likeliest; '' if several are equally likely.
        doubt: what else it could be with another outcome; '' where nothing could.
        firm: a name that no other kind has tells it; otherwise a user who knows better is believed.
        confirmed: path and kind of the user's rule that would settle it, if not simply its kind.
    """

    kind: str
    doubt: str = ""
    firm: bool = False
    confirmed: tuple[str, str] | None = None


def evidence(own: Shapes, framework: str) -> Evidence:
    """Return what the tensors of one layer say of its kind.

    Args:
        own: shapes by name.
        framework: whose layouts they have.
    """
    if told := told_by_names(tuple(own), framework):
        return told
    weight = weight_of(own)
    if weight is None:
        return free_parameters(own)
    return by_axes(weight, own.get("bias"), framework)


# Networks repeat their layers.
@lru_cache(maxsize=1024)
def told_by_names(own: tuple[str, ...], framework: str) -> Evidence | None:
    """Return what names of tensors say of their layer's kind, None if nothing."""
    for sign in SIGNS:
        if sign.framework in ("", framework) and fits(sign, own):
            return Evidence(sign.kind, sign.doubt, firm=not sign.doubt)
    return None


def fits(sign: Sign, own: tuple[str, ...]) -> bool:
    """Return whether a layer's tensors have the names of a sign."""
    found = [any(re.fullmatch(name, one) for one in own) for name in sign.names]
    return all(found) and (not sign.alone or len(own) == len(found))


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
    if framework == "paddle" and bias == (first,):
        return Evidence("compat_linear")
    what = f"weight {list(weight)} and bias {list(bias)} are no Linear's of {framework}"
    if is_turned(weight, bias, framework):
        what += (
            ", but have Paddle's order, as a Conv1D of transformers has; if the file is Paddle's, "
            "say --to torch"
        )
    return Evidence(PARAMETER.kind, f"{what}; copied as they are")


def is_turned(weight: Shape, bias: Shape | None, framework: str) -> bool:
    """Return whether a bias tells that a matrix has the axes of the other framework's Linear."""
    return is_usual(weight, bias, "paddle" if framework == "torch" else "torch")


def is_usual(weight: Shape, bias: Shape | None, framework: str) -> bool:
    """Return whether a bias tells that a matrix has the axes of a framework's Linear."""
    if len(weight) != 2 or weight[0] == weight[1]:
        return False
    return bias == ((weight[0],) if framework == "torch" else (weight[1],))


def one_axis(bias: Shape | None, framework: str) -> Evidence:
    """Return what a vector is: the scale of a norm, most likely."""
    if framework == "paddle":
        doubt = "a LayerNorm over several axes, which torch keeps apart, has such tensors too"
        return Evidence("layer_norm", doubt)
    if bias is not None:
        doubt = "an InstanceNorm has such tensors too, called scale in Paddle"
        return Evidence("layer_norm", doubt)
    return Evidence("rms_norm", "a PReLU has such a tensor too, called _weight in Paddle")


def keeps_statistics(path: str, own: Shapes) -> Evidence:
    """Return what a torch layer with running statistics is: a batch norm, if nothing objects."""
    if INSTANCE.fullmatch(path.rpartition(".")[2]):
        doubt = "by its name it is an InstanceNorm with running statistics, which Paddle has not"
        return Evidence("batch_norm", doubt)
    if "weight" not in own:
        doubt = (
            "without a weight it may be an InstanceNorm with running statistics, which has none "
            "unless it is asked for; Paddle's keeps no statistics"
        )
        return Evidence("batch_norm", doubt)
    return Evidence("batch_norm", firm=True)


def named(path: str) -> str:
    """Return the kind that a layer's name tells, '' if it tells none or several."""
    kinds = {kind for pattern, kind in NAMES if pattern.search(path.rpartition(".")[2])}
    return kinds.pop() if len(kinds) == 1 else ""
