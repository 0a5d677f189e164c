"""What a user's rules make of layers whose kinds a network or a family tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from converters.layouts import Layer
from converters.planning.source import Source
from converters.rules import ALONE, BY_KIND, PARAMETER
from converters.transforms import TRANSFORMS
from converters.user_rules import UserRules


def as_said(layer: Layer, source: Source, shaped: str) -> Layer:
    """Return a known layer as the user's rules have it.

    They may say what the network cannot know: that the source's layer is another one with the same
    tensors (in-place ABN for a batch norm, a Linear of ``paddle.compat``), or one of the user's own
    that keeps them as the target does. What contradicts the network, or is no layer of the source's
    framework, is a problem.

    Args:
        layer: as target or family have it.
        source: the checkpoint.
        shaped: the framework whose tensors gave the layer's shapes.
    """
    said = source.rules.kind_of(layer.path)
    if said is None:
        return layer
    if said == layer.kind:
        rows = tuple(replace(row, doubt="") if row.own else row for row in layer.rows)
        return replace(layer, assumption="", tensors=rows if said == PARAMETER.kind else layer.rows)
    rule = BY_KIND[said]
    if rule.looks_like == layer.kind and rule.classes(source.framework):
        rows = rule.rows_for(layer.shapes, "torch")
        return replace(layer, kind=said, tensors=rows, assumption="")
    if said == PARAMETER.kind and shaped != source.framework:
        return copied(layer, shaped)
    against = f"{layer.path!r}: --rules says {said}, but in the network it is of kind {layer.kind}"
    return replace(layer, problems=(*layer.problems, against))


def copied(layer: Layer, shaped: str) -> Layer:
    """Return a layer whose tensors lie in the source as they do in the target."""
    shapes, rows = dict(layer.shapes), []
    for row in layer.rows:
        turned = row.transform == "transpose"
        if turned and shaped == "paddle" and row.torch in shapes:
            shapes[row.torch] = TRANSFORMS[row.transform].shape(shapes[row.torch])
        why = "copied as it is, as --rules says"
        rows.append(replace(row, transform="copy", reason=why, doubt="") if turned else row)
    return replace(layer, shapes=shapes, tensors=tuple(rows), assumption="")


def doubted_squares(layers: tuple[Layer, ...], rules: UserRules) -> Iterator[Layer]:
    """Yield layers, the square Linears doubted where the rules say that another lies otherwise."""
    linears = [layer for layer in layers if layer.kind == "linear"]
    turned = [one.path for one in linears if rules.kind_of(one.path) not in (None, "linear")]
    for layer in layers:
        square = layer.kind == "linear" and len(set(layer.shapes.get("weight", (0, 1)))) == 1
        if turned and square and rules.kind_of(layer.path) is None:
            doubt = f"its weight is square, and {turned[0]!r} lies otherwise, as --rules says"
            yield replace(layer, assumption=f"{layer.path!r} is of kind linear; {doubt}")
        else:
            yield layer


def with_own(layer: Layer, rules: UserRules, shaped: str) -> Layer:
    """Return a layer with the tensors of its own laid out as the user says.

    Args:
        layer: the layer.
        rules: what the user says.
        shaped: the framework whose tensors gave the layer's shapes.
    """
    if not any(row.own for row in layer.rows):
        return layer
    shapes, rows = dict(layer.shapes), []
    for row in layer.rows:
        keys = [key for one in ("torch", "paddle") for key in layer.keys(row, one)]
        told = [kind for key in keys if row.own and (kind := rules.tensor_kind(key))]
        said = told[0] if told else None
        alone = ALONE.get(said or "")
        rows.append(row if alone is None else alone(row.torch))
        back = TRANSFORMS[rows[-1].transform].back
        if alone is not None and back is not None and shaped == "paddle":
            shapes[row.torch] = back(shapes[row.torch])
    return layer if rows == list(layer.rows) else replace(layer, tensors=tuple(rows), shapes=shapes)
