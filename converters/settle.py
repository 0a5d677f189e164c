"""What the keys of a checkpoint belong to: the strongest evidence settles it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from converters.checkpoint import COUNTERS, Checkpoint, LazyTensor
from converters.errors import InputError
from converters.layouts import Layer, Layout, siblings, stdc
from converters.layouts import target as target_layout
from converters.layouts.names import NATIVE, Naming, backbone_of, native_names, recognised
from converters.rules import BY_KIND
from converters.user_rules import UserRules
from stdc_port import spec

PREFIXES = ("module.", "_orig_mod.")
NAME_SUFFIXES = (("._mean", ".running_mean"), ("._variance", ".running_var"))


@dataclass(frozen=True)
class Source:
    """A checkpoint's keys by the names that the network gives them.

    Attributes:
        checkpoint: where the tensors lie.
        framework: whose names and layouts they have.
        names: key in the checkpoint by name in the network.
        dropped: names that the user's rules leave out, each with the reason.
        rules: the user's rules.
        naming: whose names the keys have in the checkpoint.
    """

    checkpoint: Checkpoint
    framework: str
    names: Mapping[str, str]
    dropped: Mapping[str, str] = field(default_factory=dict)
    rules: UserRules = field(default_factory=UserRules)
    naming: Naming = NATIVE

    @classmethod
    def of(cls, checkpoint: Checkpoint, framework: str, rules: UserRules) -> Source:
        """Return a checkpoint's keys without wrappers' prefixes, renamed by the user's rules.

        Raises:
            InputError: two keys get the same name, or a rule fits no key.
        """
        names, dropped = rules.applied(without_prefix(checkpoint))
        return cls(checkpoint, framework, names, dropped, rules)

    def native(self) -> Source:
        """Return the same with another implementation's names of STDC's layers made our own."""
        naming = recognised(self.shapes(), self.framework)
        backbone = backbone_of(self.names, naming)
        if naming is NATIVE or backbone is None:
            return self
        whole = any("arm" in name for name in self.names)
        arch = backbone.name + ("-seg" if whole else "")
        layout = stdc.layout_of(spec.resolve(arch, variant=naming.variant))
        names = native_names(self.names, naming, layout, backbone)
        why = {key: self.dropped.get(old) or naming.why_own(old) for old, key in self.names.items()}
        dropped = {name: why[key] for name, key in names.items() if why[key]}
        return replace(self, names=names, naming=naming, dropped=dropped)

    def tensor(self, name: str) -> LazyTensor:
        """Return a tensor by its name in the network."""
        return self.checkpoint[self.names[name]]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of what is carried over, running statistics under torch's names."""
        return {
            torch_name(name, self.framework): self.tensor(name).shape
            for name in self.names
            if name not in self.dropped
        }


def without_prefix(keys: Iterable[str]) -> dict[str, str]:
    """Return source keys by their name without a wrapper's prefix that all of them share."""
    names = {key: key for key in keys}
    for prefix in PREFIXES:
        if names and all(name.startswith(prefix) for name in names):
            # Wrappers stand inside one another, in any order.
            inner = without_prefix(name.removeprefix(prefix) for name in names)
            return {name: names[prefix + rest] for name, rest in inner.items()}
    return names


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
    return None if family is None else of_source(source, family)


def of_source(source: Source, family: Layout) -> Layout:
    """Return a family's layout with what the source's names and metadata add to its keys."""
    # A file of PaddleSeg may hold every tensor of the backbone twice, as torch's do.
    twice = {}
    if source.naming is not NATIVE and source.framework == "paddle":
        twice = {
            paddle_name(second): paddle_name(first)
            for second, first in family.aliases.items()
            if not first.endswith(COUNTERS)
        }
    return replace(family, variant=variant_of(source, family), paddle_aliases=twice)


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
    if source.naming is not NATIVE and family.arch.endswith("-seg"):
        return source.naming.variant
    same = said in spec.VARIANTS and (
        not family.arch.endswith("-seg") or {said, family.variant} <= {"mmseg", "mmseg-relu"}
    )
    return said if same else source.naming.variant or family.variant


def with_family(layout: Layout, family: Layout) -> Layout:
    """Return a target's layout with what the family knows beyond the classes of its layers."""
    folded = {layer.path for layer in family.layers if layer.kind == "inplace_abn"}
    layers = tuple(
        replace(layer, kind="inplace_abn", tensors=None) if layer.path in folded else layer
        for layer in layout.layers
    )
    aliases = dict(family.aliases) | dict(layout.aliases)
    return replace(family, layers=layers, aliases=aliases, paddle_aliases=layout.paddle_aliases)


def paddle_name(name: str) -> str:
    """Return a key with torch's names of running statistics spelt as Paddle has them."""
    for paddle, torch in NAME_SUFFIXES:
        if name.endswith(torch):
            return name.removesuffix(torch) + paddle
    return name


def torch_name(name: str, framework: str) -> str:
    """Return a key with Paddle's names of running statistics spelt as torch has them."""
    if framework == "paddle":
        for paddle, torch in NAME_SUFFIXES:
            if name.endswith(paddle):
                return name.removesuffix(paddle) + torch
    return name
