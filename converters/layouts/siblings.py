"""The layout of a network that is not at hand, from the tensors that stand beside each other.

Each layer's tensors are looked at together, and the layers beside each other. Where they leave a
doubt that changes the outcome, the user's rules decide, and failing those the layer's name: an
assumption, and named as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from converters.layouts import Layer, Layout, join
from converters.layouts.evidence import (
    Evidence,
    Shape,
    Shapes,
    evidence,
    is_turned,
    is_usual,
    keeps_statistics,
    named,
    weight_of,
)
from converters.rules import (
    BY_KIND,
    NORM_KINDS,
    PARAMETER,
    PROJECTIONS,
    RULES,
    TensorRule,
    direction_of,
    norms_shape,
    parameters,
    reparametrised,
)
from converters.transforms import TRANSFORMS

PRUNED = "_mask"
# Whose matrices lie as the other framework's Linear does.
TURNED = {"torch": "a Conv1D of transformers", "paddle": "a Linear of paddle.compat"}
# No kind: whoever is shown it has to choose.
CHOOSE = "linear or embedding"


class Kinds(Protocol):
    """Whoever knows kinds of layers by path, and of lone tensors by key."""

    def kind_of(self, path: str) -> str | None:
        """Return a layer's kind, None if unknown."""

    def tensor_kind(self, key: str) -> str | None:
        """Return the kind of a tensor of a user's own layer, None if unknown."""


def layout_of(shapes: Shapes, *, framework: str, kinds: Kinds) -> Layout:
    """Return the layout that keys and shapes tell.

    Args:
        shapes: shapes by key, running statistics under torch's names.
        framework: whose layouts the shapes have.
        kinds: the user's rules.
    """
    found = _Siblings(framework, kinds, grouped(shapes, framework, kinds))
    layers = tuple(found.layer(path) for path in found.tensors)
    return Layout(layers, paddle_aliases=dict(twins_in(layers)) if framework == "torch" else {})


def twins_in(layers: Iterable[Layer]) -> Iterator[tuple[str, str]]:
    """Yield the second names that Paddle gives to tensors of recurrent layers, with the first."""
    for layer in layers:
        if twins := BY_KIND[layer.kind].twins:
            rows = (row for row in layer.rows if row.torch in layer.shapes)
            names = [name for row in rows for name in row.names("paddle")]
            for twin, name in twins(names).items():
                yield join(layer.path, twin), join(layer.path, name)


def grouped(shapes: Shapes, framework: str, kinds: Kinds) -> dict[str, dict[str, Shape]]:
    """Return the shapes by layer and name in it."""
    layers: dict[str, dict[str, Shape]] = {}
    for key, shape in shapes.items():
        path, name = owner_of(key, shapes, framework, kinds)
        layers.setdefault(path, {})[name] = shape
    return layers


# Names of tensors that hold a dot belong to the layer in front.
_PARAMETRIZED = re.compile(r"(?:(.*)\.)?(parametrizations\.\w+\.(?:original[01]?|0\._[uv]))")
_INNER = {
    rule.kind: re.compile(rf"(?:(?P<path>.*)\.)?(?P<name>{rule.inner})")
    for rule in RULES
    if rule.inner
}


def owner_of(key: str, shapes: Shapes, framework: str, kinds: Kinds) -> tuple[str, str]:
    """Return the path of the layer that a key belongs to, and the tensor's name in it."""
    if match := _PARAMETRIZED.fullmatch(key):
        return match[1] or "", match[2]
    path, _, name = key.rpartition(".")
    for kind, pattern in _INNER.items():
        match = pattern.fullmatch(key) if framework == "paddle" else None
        if match is not None:
            outer = match["path"] or ""
            said = kinds.kind_of(outer)
            told = kind == "recurrent" and said is None and kinds.kind_of(path) is None
            if said == kind or (told and is_recurrent(outer, shapes)):
                return outer, match["name"]
    return path, name


def is_recurrent(path: str, shapes: Shapes) -> bool:
    """Return whether a path of Paddle's holds the cells of a recurrent layer and nothing else."""
    root = f"{path}." if path else ""
    inside = [key.removeprefix(root) for key in shapes if key.startswith(root)]
    cells = re.compile(rf"{BY_KIND['recurrent'].inner}|\w+")
    return all(map(cells.fullmatch, inside))


@dataclass(frozen=True)
class _Siblings:
    """The layers of a network, each told by its own tensors and by its neighbours."""

    framework: str
    kinds: Kinds
    tensors: Mapping[str, Shapes]

    def layer(self, path: str) -> Layer:
        """Return one layer, with the assumption that was made, if any."""
        own, found = self.tensors[path], self.evidence(path)
        kind, assumption, problems = self.settled(path, found)
        rows, extra = rows_of(kind, own, self.framework)
        rows = tuple(self.along(path, row) for row in rows)
        rows = tuple(
            replace(row, doubt=unexplained(path, kind, row.torch, extra))
            if row.torch in extra
            else row
            for row in rows
        )
        shapes = dict(torch_shapes(rows, own, self.framework))
        untold = found.kind == "" and kind == PARAMETER.kind
        confirmed = (path, CHOOSE) if untold else found.confirmed
        layer = Layer(path, kind, shapes, rows, None, problems, assumption, confirmed)
        other = self.other_path(path)
        if self.framework == "torch" or other == path:
            return replace(layer, paddle=None if other == path else other)
        return replace(layer, path=other, paddle=path)

    def along(self, path: str, row: TensorRule) -> TensorRule:
        """Return the row of a tensor's norms with the axis along which the user says they run."""
        said = self.kinds.tensor_kind(join(path, row.torch)) if row.norms else None
        return row if said not in NORM_KINDS else replace(row, axis=NORM_KINDS.index(said))

    def settled(self, path: str, found: Evidence) -> tuple[str, str, tuple[str, ...]]:
        """Return a layer's kind, the assumption made, and what speaks against it."""
        said = self.kinds.kind_of(path)
        if said is not None:
            fits = said == found.kind or BY_KIND[said].looks_like == found.kind or not found.firm
            against = f"{path!r}: --rules says {said}, but its tensors say {found.kind}"
            real = said == PARAMETER.kind or BY_KIND[said].classes(self.framework)
            return said, "", () if fits and real and self.could_be(said, path) else (against,)
        if not found.doubt:
            return found.kind, "", ()
        if found.kind:
            return found.kind, f"{path!r} is of kind {found.kind}; {found.doubt}", ()
        if kind := named(path):
            return kind, f"{path!r} is of kind {kind}, by its name alone; {found.doubt}", ()
        what = f"{path!r} is copied as it is; {found.doubt}, and its name does not tell"
        return PARAMETER.kind, what, ()

    def evidence(self, path: str) -> Evidence:
        """Return what a layer's tensors and those of its neighbours say of its kind."""
        outer, _, name = path.rpartition(".")
        if name == "out_proj" and self.is_attention(outer):
            return Evidence("linear")
        found = self.doubted(path, evidence(self.tensors[path], self.framework))
        beside = {join(outer, one) for one in (*PROJECTIONS, "out_proj")}
        if self.framework == "paddle" and path in beside <= self.tensors.keys():
            doubt = (
                f"torch packs it if {outer!r} is a MultiHeadAttention: say in --rules whether that "
                "is an attention, or this a linear"
            )
            told = Evidence("linear", doubt, confirmed=(outer, "attention"))
            return told if found.kind == "linear" or found.doubt else found
        return found

    def doubted(self, path: str, found: Evidence) -> Evidence:
        """Return what a layer's tensors say, and what its name or the rest of the file objects."""
        own = self.tensors[path]
        open_ = {name for name in own if not self.kinds.tensor_kind(join(path, name))}
        weight = weight_of(own) or ()
        if found.kind == PARAMETER.kind and not open_:
            return Evidence(PARAMETER.kind)
        if found.kind == "linear" and len(set(weight)) == 1 and self.square_doubt:
            return Evidence(found.kind, f"its weight is square, and {self.square_doubt}")
        if found.kind == "batch_norm" and self.framework == "torch":
            return keeps_statistics(path, own)
        return found

    @cached_property
    def square_doubt(self) -> str:
        """What leaves the order of axes of the file's square matrices open, '' if nothing does.

        Others with a bias tell it: in torch a Conv1D of transformers has Paddle's order.
        """
        usual = any("in_proj_weight" in own for own in self.tensors.values())
        for path, own in self.tensors.items():
            weight, bias = weight_of(own) or (), own.get("bias")
            if is_turned(weight, bias, self.framework):
                return f"other layers have the order of {path!r}"
            usual = usual or is_usual(weight, bias, self.framework)
        if usual:
            return ""
        return (
            f"no other layer tells that the file has the axes of {self.framework}'s own Linear; "
            f"{TURNED[self.framework]} has the other order"
        )

    def could_be(self, kind: str, path: str) -> bool:
        """Return whether a layer's tensors have as many axes as a kind needs."""
        own = self.tensors[path]
        rows, _ = rows_of(kind, own, self.framework)
        needed = [(TRANSFORMS[row.transform].axes, row.names(self.framework)) for row in rows]
        return all(
            axes is None or len(own[name]) == axes
            for axes, names in needed
            for name in names
            if name in own
        )

    def is_attention(self, path: str) -> bool:
        """Return whether a path is that of an attention whose tensors stand together."""
        if path not in self.tensors:
            return False
        kind = self.kinds.kind_of(path) or evidence(self.tensors[path], self.framework).kind
        return kind == "attention"

    def other_path(self, path: str) -> str:
        """Return a path as the other framework has it: a decoder layer's attention is renamed."""
        for pair in BY_KIND["transformer_decoder_layer"].children:
            ours, theirs = pair if self.framework == "torch" else pair[::-1]
            outer, place, inner = f"{path}.".rpartition(f"{ours}.")
            beside = f"{outer}self_attn"
            whole = not outer or outer.endswith(".")
            if place and whole and self.is_attention(outer + ours) and self.is_attention(beside):
                return f"{outer}{theirs}.{inner}".rstrip(".")
        return path


def unexplained(path: str, kind: str, name: str, extra: list[str]) -> str:
    """Return why a tensor that a kind of layer does not have is an assumption."""
    if any(one.endswith(PRUNED) for one in extra):
        mend = "it is pruned; make that permanent first (torch.nn.utils.prune.remove)"
        return f"{path!r} is of kind {kind}, and {name!r} is copied as it is; {mend}"
    return f"{path!r} is of kind {kind}, and {name!r}, which that has not, is copied"


def rows_of(kind: str, own: Shapes, framework: str) -> tuple[tuple[TensorRule, ...], list[str]]:
    """Return the rows of a layer, and the names that its kind does not know; they are copied."""
    if kind == PARAMETER.kind:
        return parameters(list(own)), []
    rule = BY_KIND[kind]
    rows = [
        row
        for general in rule.rows_for(own, framework)
        for row in reparametrised(general, own, framework)
    ]
    twins = set(rule.twins(list(own))) if rule.twins and framework == "paddle" else set()
    # Running statistics stand under torch's names already.
    known = {name for row in rows for name in (row.torch, *row.also, *row.names(framework))}
    extra = [name for name in own if name not in known | twins]
    return (*rows, *parameters(extra)), extra


def torch_shapes(
    rows: tuple[TensorRule, ...], own: Shapes, framework: str
) -> Iterator[tuple[str, Shape]]:
    """Yield the shape that each tensor has in torch."""
    for row in rows:
        name = next((name for name in (*row.names(framework), row.torch) if name in own), None)
        if name is None:
            if row.paddle is None and framework == "paddle" and not row.refused:
                yield row.torch, ()
        elif framework == "torch":
            yield row.torch, own[name]
        else:
            yield row.torch, torch_shape(row, rows, own, name)


def torch_shape(row: TensorRule, rows: tuple[TensorRule, ...], own: Shapes, name: str) -> Shape:
    """Return the shape that a tensor of a Paddle layer has in torch."""
    back = TRANSFORMS[row.transform].back
    if back is not None:
        return back(own[name])
    if not row.norms:
        return own[name]
    tensor = direction_of(row, rows)
    along = TRANSFORMS[tensor.transform].back
    direction = own[str(tensor.paddle)]
    return norms_shape(own[name], along(direction) if along else direction, row.axis)
