"""The layout of a network that is not at hand, from the tensors that stand beside each other.

Each layer's tensors are looked at together. Where they leave a doubt that changes the outcome, the
user's rules decide, and failing those the layer's name: an assumption, and named as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from converters.layouts import Layer, Layout
from converters.rules import BY_KIND, PARAMETER, TensorRule, parameters, reparametrised
from converters.transforms import TRANSFORMS

Shapes = Mapping[str, tuple[int, ...]]


class Kinds(Protocol):
    """Whoever knows kinds of layers by path."""

    def kind_of(self, path: str) -> str | None:
        """Return a layer's kind, None if unknown."""


@dataclass(frozen=True)
class Evidence:
    """What a layer's tensors say.

    Attributes:
        kind: its kind, or the likeliest.
        doubt: what else it could be with another outcome; '' where nothing could.
    """

    kind: str
    doubt: str = ""


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
MEND = "name the network with --model, or its kind in --rules"


def layout_of(shapes: Shapes, *, framework: str, kinds: Kinds) -> Layout:
    """Return the layout that keys and shapes tell.

    Args:
        shapes: shapes by key, running statistics under torch's names.
        framework: whose layouts the shapes have.
        kinds: the user's rules.
    """
    layers: dict[str, dict[str, tuple[int, ...]]] = {}
    for key, shape in shapes.items():
        path, name = owner_of(key)
        layers.setdefault(path, {})[name] = shape
    return Layout(
        tuple(layer_of(path, own, framework, kinds.kind_of(path)) for path, own in layers.items())
    )


# Names of tensors that hold a dot: they belong to the layer in front.
_DOTTED = re.compile(
    r"(?:(.*)\.)?(parametrizations\.\w+\.(?:original[01]?|0\._[uv])"
    r"|\d+\.cell(?:_fw|_bw)?\.\w+)"
)


def owner_of(key: str) -> tuple[str, str]:
    """Return the path of the layer that a key belongs to, and the tensor's name in it."""
    if match := _DOTTED.fullmatch(key):
        return match[1] or "", match[2]
    path, _, name = key.rpartition(".")
    return path, name


def layer_of(path: str, own: Shapes, framework: str, said: str | None) -> Layer:
    """Return one layer, with the assumption that was made, if any."""
    found = evidence(own, framework)
    kind, assumption = said or found.kind, ""
    problems: tuple[str, ...] = ()
    if said is not None and said != found.kind and not found.doubt:
        problems = (f"{path!r}: --rules says {said}, but its tensors say {found.kind}",)
    if said is None and found.doubt:
        kind, assumption, problems = by_name(path, found)
    rows = rows_of(kind, own, framework)
    return Layer(
        path, kind, dict(torch_shapes(rows, own, framework)), rows, None, problems, assumption
    )


def by_name(path: str, found: Evidence) -> tuple[str, str, tuple[str, ...]]:
    """Return kind, assumption and problems of a layer whose tensors leave a doubt."""
    if found.kind != "":
        return found.kind, f"{path!r} is of kind {found.kind}; {found.doubt}; {MEND}", ()
    named = {kind for pattern, kind in NAMES if pattern.search(path.rpartition(".")[2])}
    if len(named) == 1:
        kind = named.pop()
        return kind, f"{path!r} is of kind {kind}, by its name alone; {found.doubt}; {MEND}", ()
    return PARAMETER.kind, "", (f"{path!r}: {found.doubt}, and its name does not tell; {MEND}",)


# The first whose names are all there tells the kind: names as regular expressions, the framework
# whose keys they are ('' for both), and whether nothing else may be there.
SIGNS = (
    (("running_var",), "", False, "batch_norm"),
    (("in_proj_weight",), "torch", False, "attention"),
    (("q_proj_weight", "k_proj_weight", "v_proj_weight"), "torch", False, "attention"),
    ((r"weight_ih_l\d+(_reverse)?",), "", False, "recurrent"),
    ((r"\d+\.cell.*",), "paddle", False, "recurrent"),
    (("weight_ih", "weight_hh"), "", False, "recurrent_cell"),
    (("scale", "bias"), "paddle", True, "instance_norm"),
    (("_weight",), "paddle", True, "prelu"),
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
    return free_parameters(own) if weight is None else by_axes(weight, own)


def weight_of(own: Shapes) -> tuple[int, ...] | None:
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


def by_axes(weight: tuple[int, ...], own: Shapes) -> Evidence:
    """Return what the number of axes says of a layer with a weight, and a bias perhaps."""
    bias = own.get("bias")
    if len(weight) > 3 or (len(weight) == 3 and bias is None):
        return Evidence("conv")
    if len(weight) == 3:
        return Evidence("conv", "a Bilinear has such tensors too, and Paddle's bias is then a row")
    if len(weight) == 2:
        if bias is not None:
            return Evidence("linear")
        return Evidence("", "a weight with two axes alone could be a Linear's or an Embedding's")
    if bias is not None:
        return Evidence(
            "group_norm", "an InstanceNorm has such tensors too, called scale in Paddle"
        )
    return Evidence("rms_norm", "a PReLU has such a tensor too, called _weight in Paddle")


def rows_of(kind: str, own: Shapes, framework: str) -> tuple[TensorRule, ...]:
    """Return the rows of a layer; tensors that its kind does not know are copied as they are."""
    if kind == PARAMETER.kind:
        return parameters(list(own))
    rule = BY_KIND[kind]
    rows = [
        row
        for general in rule.rows_for(own, framework)
        for row in reparametrised(general, own, framework)
    ]
    twins = set(rule.twins(list(own))) if rule.twins and framework == "paddle" else set()
    # Running statistics stand under torch's names already.
    known = {name for row in rows for name in (row.torch, *row.also, *row.names(framework))}
    return (*rows, *parameters([name for name in own if name not in known | twins]))


def torch_shapes(
    rows: tuple[TensorRule, ...], own: Shapes, framework: str
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the shape that each tensor has in torch."""
    for row in rows:
        shape = next(
            (own[name] for name in (*row.names(framework), row.torch) if name in own), None
        )
        back = TRANSFORMS[row.transform].back
        if shape is None:
            if row.paddle is None and framework == "paddle" and not row.refused:
                yield row.torch, ()
        else:
            yield row.torch, shape if framework == "torch" or back is None else back(shape)
