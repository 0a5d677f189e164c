"""What a checkpoint becomes in another implementation: its layers, and what will differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from converters.errors import InputError
from converters.layouts import Layer, Layout, join, stdc
from converters.layouts.names import NAMINGS, NATIVE
from converters.layouts.naming import Naming
from converters.planning.source import Source
from converters.rules import BY_KIND, TensorRule
from stdc_port import spec

_POOL = (
    "the skips' average pool divides by 9 at the border in {yes}, by the pixels inside the image "
    "in {no}: all maps from stride 8 on differ"
)
_RELU = "the attention refinements' 3×3 convolutions end in ReLU in {yes}, not in {no}"
_CORNERS = "the auxiliary class maps are enlarged with align_corners in {yes}, without in {no}"


@dataclass(frozen=True)
class Aim:
    """What a checkpoint's network becomes.

    Attributes:
        layout: the layers that the target has, in this project's names.
        naming: the names that they get.
        dropped: tensors of the source that the target has no layer for, each with the reason.
        inexact: what will be computed differently, one line each.
    """

    layout: Layout
    naming: Naming = NATIVE
    dropped: dict[str, str] = field(default_factory=dict)
    inexact: tuple[str, ...] = ()


def differences(source: spec.NetworkSpec, target: spec.NetworkSpec, content: str) -> list[str]:
    """Return what two variants of a network compute differently with equal weights, line by line.

    Args:
        source: the network that the weights are of.
        target: the same in another variant.
        content: which part of it there is, '' if all.
    """
    points = [(_POOL, "pool_counts_padding")] if target.block == "cat" else []
    if target.segmentation:
        points.append((_RELU, "arm_relu"))
    if target.segmentation and not content:
        points.append((_CORNERS, "aux_align_corners"))
    lines = []
    for line, attribute in points:
        ours, theirs = getattr(source.variant, attribute), getattr(target.variant, attribute)
        if ours != theirs:
            yes, no = (source, target) if ours else (target, source)
            lines.append(line.format(yes=yes.variant.name, no=no.variant.name))
    return lines


def aim_at(source: Source, layout: Layout, name: str, to: str) -> Aim:
    """Return what a checkpoint becomes in an implementation's names.

    Args:
        source: the checkpoint's keys in this project's names.
        layout: its network.
        name: key of :data:`converters.layouts.names.NAMINGS`.
        to: the target framework.

    Raises:
        InputError: no such names, or not for this network or framework.
    """
    naming = NAMINGS.get(name)
    if naming is None:
        raise InputError(f"unknown layout {name!r}: choose one of {', '.join(NAMINGS)}")
    if naming is NATIVE and source.naming is NATIVE:
        return Aim(layout)
    if layout.arch not in spec.ARCHS:
        raise InputError(f"--layout {name} names layers of STDC; this network is {layout.arch}")
    if naming.framework and naming.framework != to:
        raise InputError(
            f"--layout {name} is read by {naming.framework}; use --to {naming.framework}"
        )
    ours = stdc.network_of(layout, layout.variant)
    theirs = stdc.network_of(layout, naming.variant or layout.variant)
    return _Aiming(source, layout, naming, ours, theirs).aim()


@dataclass
class _Aiming:
    """Goes through the layers that the target's network has."""

    source: Source
    layout: Layout
    naming: Naming
    ours: spec.NetworkSpec
    theirs: spec.NetworkSpec
    dropped: dict[str, str] = field(default_factory=dict)
    inexact: list[str] = field(default_factory=list)

    def aim(self) -> Aim:
        self.inexact += differences(self.ours, self.theirs, self.layout.content)
        wanted = stdc.layout_of(self.theirs, counted=stdc.is_counted(self.layout))
        found = {layer.path: layer for layer in self.layout.layers}
        layers = tuple(
            adapted for layer in wanted.layers for adapted in self.adapted(found[layer.path], layer)
        )
        variant = self.theirs.variant.name
        layout = replace(self.layout, layers=layers, variant=variant)
        return Aim(layout, self.naming, self.dropped, tuple(self.inexact))

    def adapted(self, ours: Layer, theirs: Layer) -> Iterator[Layer]:
        """Yield the layer as the target has it, none if it has no such layer."""
        if ours.spare and not self.naming.why_absent(ours.path):
            yield replace(theirs, spare=ours.spare, filled=ours.filled)
            return
        if why := self.naming.why_absent(ours.path):
            held = self.held(ours)
            self.dropped |= dict.fromkeys(held, why)
            if held and ours.path == "conv_out_sp8.conv_out":
                self.inexact.append(f"{held[0]!r} is left out, training begins it anew: {why}")
            return
        if not self.held(ours) and (why := self.spare(ours)):
            yield replace(theirs, spare=why, filled=True)
            return
        rows = BY_KIND[ours.kind].tensors
        yield replace(
            theirs, kind=ours.kind, tensors=tuple(self.row(ours, theirs, row) for row in rows)
        )

    def row(self, ours: Layer, theirs: Layer, row: TensorRule) -> TensorRule:
        """Return a row with what becomes of a bias that one side alone has."""
        if ours.kind != "conv" or row.torch != "bias":
            return row
        key = join(ours.path, "bias")
        if "bias" in ours.shapes and "bias" not in theirs.shapes and key in self.source.names:
            if np.any(self.source.tensor(key).load()):
                self.dropped[key] = f"{self.theirs.variant.name} has no bias here; it is not zero"
                self.inexact.append(f"{self.source.names[key]!r}: {self.dropped[key]}")
            return row
        return replace(row, made="bias" in theirs.shapes and "bias" not in ours.shapes)

    def held(self, layer: Layer) -> list[str]:
        """Return the names of a layer's tensors that the source holds."""
        names = [name for row in layer.rows for name in layer.keys(row, self.source.framework)]
        return [name for name in names if name in self.source.names]

    def spare(self, layer: Layer) -> str:
        """Return why the source's implementation has no such layer, '' if it has."""
        why = self.source.naming.why_absent(layer.path)
        if why and layer.path == "conv_out_sp8.conv_out":
            self.inexact.append(f"{layer.path!r} is set to zero, training begins it anew: {why}")
            return why
        return f"{why}; no output depends on it, set to zero" if why else ""
