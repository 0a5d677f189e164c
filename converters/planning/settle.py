"""What the keys of a checkpoint belong to: the strongest evidence settles it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from converters.errors import InputError
from converters.layouts import Layer, Layout, siblings, stdc
from converters.layouts import target as target_layout
from converters.layouts.contents import with_gaps
from converters.layouts.network import framework_of
from converters.planning.said import as_said, doubted_squares, with_own
from converters.planning.second_names import with_shared
from converters.planning.source import Source
from converters.planning.variant import AUTO, with_variant


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
