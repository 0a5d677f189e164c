"""Whose implementation of STDC a file holds, where its keys alone do not tell.

The user may say so; else the file's names tell it, what it says of itself, or its keys. Backbones
and classifiers have the same layers in all variants, and so have the two of MMSegmentation. A file
of the authors' names without any counts of batches may be of either of their two, which compute
something else: plain batch norms outside the backbone, or in-place ABN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from converters.checkpoint import LazyTensor
from converters.errors import InputError
from converters.layouts import Layer, Layout, join, stdc
from converters.layouts.contents import HEADS, is_held
from converters.layouts.names import NATIVE
from converters.planning.source import Source
from converters.transforms import to_float64
from stdc_port import spec

AUTO = "auto"
_UNTOLD = (
    "the batch norms outside the backbone are plain, variant authors-bn; no layer of the file "
    "counts batches, by which in-place ABN (scale |weight| + 1e-5, the authors' own code) is told "
    "from them{signs}; say --variant authors or --variant authors-bn"
)


def with_variant(family: Layout, source: Source, wanted: str = AUTO) -> Layout:
    """Return a family's layout as the variant that is wanted or told; an assumption if none is.

    Args:
        family: the layout that the keys tell.
        source: the checkpoint.
        wanted: what the user says, or ``auto``.

    Raises:
        InputError: the keys are not those of the variant that is wanted.
    """
    variant = told(family, source) if wanted == AUTO else wanted
    if variant:
        return in_variant(family, variant, source)
    layers = tuple(assumed(family, source))
    return replace(family, layers=layers)


def told(family: Layout, source: Source) -> str:
    """Return the variant that names, metadata or keys tell, '' if none of them does."""
    said, whole = source.checkpoint.metadata.get("variant", ""), family.arch.endswith("-seg")
    if whole and source.naming is not NATIVE:
        return source.naming.variant
    counted = source.framework == "paddle" or any(
        name.endswith(stdc.COUNTER) for name in source.names
    )
    if said in spec.VARIANTS and (not whole or alike(said, family, source, counted=counted)):
        return said
    if whole and not counted and family.variant == "authors-bn":
        return ""
    return source.naming.variant or family.variant


def alike(said: str, family: Layout, source: Source, *, counted: bool) -> bool:
    """Return whether the keys of a segmentation network leave it open which of two variants it is.

    Args:
        said: what the file says of itself.
        family: the layout with the variant that the keys tell.
        source: the keys.
        counted: in-place ABN would show.
    """
    one, two = spec.VARIANTS[said], spec.VARIANTS[family.variant]
    headless = not any(name.startswith(HEADS) for name in source.names)
    same = one.block_bias == two.block_bias
    same = same and (not counted or one.head_norm == two.head_norm)
    return same and (headless or one.classifier_bias == two.classifier_bias)


def in_variant(family: Layout, variant: str, source: Source) -> Layout:
    """Return a family's layout as another variant with the same keys.

    Raises:
        InputError: the variant has other keys, or there is none of that name.
    """
    if variant not in spec.VARIANTS:
        raise InputError(f"unknown variant {variant!r}: choose of {', '.join(spec.VARIANTS)}")
    layout = stdc.layout_of(stdc.network_of(family, variant), counted=stdc.is_counted(family))
    if keys_of(layout, source) != keys_of(family, source):
        raise InputError(
            f"{source.checkpoint.path}: its keys are those of variant {family.variant}, not of "
            f"{variant}; leave out --variant {variant}"
        )
    return replace(layout, num_classes=family.num_classes)


def keys_of(layout: Layout, source: Source) -> set[str]:
    """Return torch's keys of the layers that a file holds."""
    return {
        join(layer.path, name)
        for layer in layout.layers
        for name in layer.shapes
        if is_held(layer, source.names, source.framework)
    }


def assumed(family: Layout, source: Source) -> Iterator[Layer]:
    """Yield the layers, the batch norms outside the backbone as the assumption that they are."""
    norms = [
        layer
        for layer in family.layers
        if layer.kind == "batch_norm" and not layer.path.startswith(stdc.BACKBONE)
    ]
    weights = [join(layer.path, "weight") for layer in norms]
    found = [source.tensor(name) for name in weights if name in source.names]
    negative = sum(int(np.sum(values_of(tensor) < 0)) for tensor in found)
    signs = f"; {negative} of their scales are negative, as only its often are" if negative else ""
    for layer in family.layers:
        why = _UNTOLD.format(signs=signs) if layer in norms else ""
        yield replace(layer, assumption=why) if why else layer


def values_of(tensor: LazyTensor) -> np.ndarray:
    """Return the elements of a tensor in double precision."""
    return to_float64(tensor.load(), tensor.type)
