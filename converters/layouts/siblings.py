"""The layout of a network that is not at hand, from the tensors that stand beside each other.

Each layer's tensors are looked at together, and the layers beside each other. Where they leave a
doubt that changes the outcome, the user's rules decide, and failing those the layer's name: an
assumption, and named as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

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
from converters.layouts.grouping import Kinds, grouped
from converters.layouts.sibling_rows import rows_of, unexplained
from converters.layouts.signs import CONV1D
from converters.layouts.torch_shapes import made_shapes, torch_shapes
from converters.rules import (
    BY_KIND,
    NORM_KINDS,
    PARAMETER,
    PROJECTIONS,
    TensorRule,
)
from converters.transforms import TRANSFORMS

# Whose matrices lie as the other framework's Linear does.
TURNED = {"torch": "a Conv1D of transformers", "paddle": "a Linear of paddle.compat"}
# No kind: whoever is shown it has to choose.
CHOOSE = "linear or embedding"


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
        if self.framework == "torch":
            shapes |= made_shapes(rows, own)
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
        if found.kind == "linear" and len(set(weight)) == 1 and (why := self.square_doubt(path)):
            return Evidence(found.kind, f"its weight is square, and {why}")
        if found.kind == "batch_norm" and self.framework == "torch":
            return keeps_statistics(path, own)
        return found

    def square_doubt(self, path: str) -> str:
        """Return what leaves the order of axes of a square matrix open, '' if nothing does.

        Others with a bias tell it: in torch a Conv1D of transformers has Paddle's order.
        """
        if self.turned:
            return f"other layers have the order of {self.turned[0]!r}"
        if self.framework == "torch" and CONV1D.fullmatch(path):
            so_called = any(map(CONV1D.fullmatch, self.usual))
            return "" if so_called else f"by its name it is {TURNED['torch']}"
        packed = any("in_proj_weight" in own for own in self.tensors.values())
        if self.usual or packed:
            return ""
        return (
            f"no other layer tells that the file has the axes of {self.framework}'s own Linear; "
            f"{TURNED[self.framework]} has the other order"
        )

    @cached_property
    def turned(self) -> list[str]:
        """The layers whose matrix has the axes of the other framework's Linear."""
        return [path for path in self.tensors if is_turned(*self.matrix(path), self.framework)]

    @cached_property
    def usual(self) -> list[str]:
        """The layers whose matrix has the axes of the framework's own Linear."""
        return [path for path in self.tensors if is_usual(*self.matrix(path), self.framework)]

    def matrix(self, path: str) -> tuple[Shape, Shape | None]:
        """Return the shapes of a layer's weight, () if it has none, and of its bias."""
        own = self.tensors[path]
        return weight_of(own) or (), own.get("bias")

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
