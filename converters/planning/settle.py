"""What the keys of a checkpoint belong to: the strongest evidence settles it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from converters.errors import InputError
from converters.layouts import Layer, Layout, siblings, stdc
from converters.layouts import target as target_layout
from converters.layouts.contents import HEADS, with_gaps
from converters.layouts.names import NATIVE
from converters.planning.source import Source
from converters.rules import BY_KIND
from converters.user_rules import UserRules
from stdc_port import spec


def settle_layout(source: Source, arch: str, target: Any) -> Layout:
    """Return the network's layout: the target's, else the family's, else what the keys tell.

    Raises:
        InputError: the keys are a family's, but of another network than ``arch``; or a rule of the
            user's names the kind of a layer that is not there.
    """
    layout = known_layout(source, arch, target)
    if layout is None:
        layout = siblings.layout_of(source.shapes(), framework=source.framework, kinds=source.rules)
    else:
        layers = tuple(as_said(layer, source.rules) for layer in layout.layers)
        layout = replace(layout, layers=layers)
    source.rules.require_fitting(
        path for layer in layout.layers for path in (layer.path, layer.paddle) if path is not None
    )
    return layout


def known_layout(source: Source, arch: str, target: Any) -> Layout | None:
    """Return the layout of the target network, else of the family; None if there is neither.

    Raises:
        InputError: the keys are a family's, but of another network than ``arch``.
    """
    if target is not None:
        layout = target_layout.layout_of(target)
        # Keys of a user's own network may look like the beginning of a family.
        with suppress(InputError):
            if family := stdc.detect(source.shapes(), framework=source.framework):
                return with_family(layout, family)
        return layout
    family = None
    if arch != "generic":
        family = stdc.detect(source.shapes(), arch, framework=source.framework)
    if family is None and arch not in ("auto", "generic"):
        raise InputError(
            f"{source.checkpoint.path}: the keys (first: {next(iter(source.names), 'none')!r}) are "
            f"not those of {arch}; leave out --arch {arch}"
        )
    if family is None:
        return None
    known = replace(family, variant=variant_of(source, family))
    return with_gaps(known, source.names, source.framework, source.naming)


def as_said(layer: Layer, rules: UserRules) -> Layer:
    """Return a known layer as the user's rules have it.

    They may say what the network cannot know: that the source's layer is another one with the same
    tensors (in-place ABN for a batch norm, a Linear of ``paddle.compat``). What contradicts the
    network is a problem.
    """
    said = rules.kind_of(layer.path)
    if said is None or said == layer.kind:
        return layer
    if said in BY_KIND and BY_KIND[said].looks_like == layer.kind:
        return replace(layer, kind=said, tensors=BY_KIND[said].rows_for(layer.shapes, "torch"))
    against = f"{layer.path!r}: --rules says {said}, but in the network it is of kind {layer.kind}"
    return replace(layer, problems=(*layer.problems, against))


def variant_of(source: Source, family: Layout) -> str:
    """Return the variant of a network where the keys of a family alone do not tell it.

    The file's names tell it, else what a converted file says of itself: backbones and classifiers
    have the same layers in all variants, and so have the two of MMSegmentation.
    """
    said = source.checkpoint.metadata.get("variant", "")
    whole = family.arch.endswith("-seg")
    if source.naming is not NATIVE and whole:
        return source.naming.variant
    if said in spec.VARIANTS and (not whole or alike(said, family, source)):
        return said
    return source.naming.variant or family.variant


def alike(said: str, family: Layout, source: Source) -> bool:
    """Return whether the keys of a segmentation network leave it open which of two variants it is.

    Args:
        said: what the file says of itself.
        family: the layout with the variant that the keys tell.
        source: the keys.
    """
    one, two = spec.VARIANTS[said], spec.VARIANTS[family.variant]
    headless = not any(name.startswith(HEADS) for name in source.names)
    same = (one.block_bias, one.head_norm) == (two.block_bias, two.head_norm)
    return same and (headless or one.classifier_bias == two.classifier_bias)


def with_family(layout: Layout, family: Layout) -> Layout:
    """Return a target's layout with what the family knows beyond the classes of its layers."""
    folded = {layer.path for layer in family.layers if layer.kind == "inplace_abn"}
    layers = tuple(
        replace(layer, kind="inplace_abn", tensors=None) if layer.path in folded else layer
        for layer in layout.layers
    )
    aliases = dict(family.aliases) | dict(layout.aliases)
    return replace(family, layers=layers, aliases=aliases, paddle_aliases=layout.paddle_aliases)
