"""What the keys of a checkpoint belong to: the strongest evidence settles it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from converters.errors import InputError
from converters.layouts import Layer, Layout, siblings, stdc
from converters.layouts import target as target_layout
from converters.layouts.contents import with_gaps
from converters.layouts.network import framework_of
from converters.planning.second_names import with_shared
from converters.planning.source import Source
from converters.planning.variant import AUTO, with_variant
from converters.rules import ALONE, BY_KIND, PARAMETER
from converters.transforms import TRANSFORMS
from converters.user_rules import UserRules


def settle_layout(source: Source, arch: str, target: Any, variant: str = AUTO) -> Layout:
    """Return the network's layout: the target's, else the family's, else what the keys tell.

    Raises:
        InputError: the keys are a family's, but of another network than ``arch``; or a rule of the
            user's names the kind of a layer that is not there.
    """
    layout, rules = known_layout(source, arch, target, variant), source.rules
    shaped = source.framework if target is None else framework_of(target)
    if layout is None:
        layout = siblings.layout_of(source.shapes(), framework=source.framework, kinds=rules)
        layout = with_shared(layout, source)
    else:
        layers = tuple(doubted_squares(layout.layers, rules))
        layers = tuple(as_said(layer, source, shaped) for layer in layers)
        layout = replace(layout, layers=layers)
    layers = tuple(with_own(layer, rules, shaped) for layer in layout.layers)
    paths = (path for layer in layers for path in (layer.path, layer.paddle) if path is not None)
    rules.require_fitting(paths, source.names)
    return replace(layout, layers=layers)


def known_layout(source: Source, arch: str, target: Any, variant: str) -> Layout | None:
    """Return the layout of the target network, else of the family; None if there is neither.

    Raises:
        InputError: the keys are a family's, but of another network than ``arch``.
    """
    if target is not None:
        layout = target_layout.layout_of(target)
        if framework_of(target) == source.framework:
            layout = replace(layout, layers=tuple(map(unfolded, layout.layers)))
        # Keys of a user's own network may look like the beginning of a family.
        with suppress(InputError):
            if family := stdc.detect(source.shapes(), framework=source.framework):
                return with_family(layout, with_variant(family, source, variant))
        return layout
    family = None if arch == "generic" else family_of(source, arch)
    if family is None and arch not in ("auto", "generic"):
        raise InputError(
            f"{source.checkpoint.path}: the keys (first: {next(iter(source.names), 'none')!r}) are "
            f"not those of {arch}; leave out --arch {arch}"
        )
    if family is None:
        return None
    known = with_variant(family, source, variant)
    return with_gaps(known, source.names, source.framework, source.naming)


def family_of(source: Source, arch: str) -> Layout | None:
    """Return the layout of the family that the keys belong to, None if they belong to none.

    Raises:
        InputError: they belong to another network of it than ``arch``; the message names the file.
    """
    try:
        return stdc.detect(source.shapes(), arch, framework=source.framework)
    except InputError as error:
        raise InputError(f"{source.checkpoint.path}: {error}") from error


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
        square = layer in linears and len(set(layer.shapes.get("weight", (0, 1)))) == 1
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


def unfolded(layer: Layer) -> Layer:
    """Return a layer of the source's own framework, whose in-place ABN stays what it is."""
    if layer.kind != "inplace_abn":
        return layer
    return replace(layer, tensors=tuple(replace(row, transform="copy") for row in layer.rows))


def with_family(layout: Layout, family: Layout) -> Layout:
    """Return a target's layout with what the family knows beyond the classes of its layers."""
    folded = {layer.path for layer in family.layers if layer.kind == "inplace_abn"}
    folded -= {layer.path for layer in layout.layers if layer.kind == "inplace_abn"}
    assumed = {layer.path: layer.assumption for layer in family.layers}
    layers = tuple(
        replace(layer, kind="inplace_abn", tensors=None)
        if layer.path in folded
        else replace(layer, assumption=layer.assumption or assumed.get(layer.path, ""))
        for layer in layout.layers
    )
    aliases = dict(family.aliases) | dict(layout.aliases)
    return replace(
        family,
        layers=layers,
        aliases=aliases,
        paddle_aliases=layout.paddle_aliases,
        ties=layout.ties,
    )
