"""Whose names a set of keys are, under whatever prefix, and which network's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from converters.layouts import Layout, stdc
from converters.layouts.names import MMSEG, MMSEG_FIRST, NATIVE, PADDLESEG
from converters.layouts.naming import Naming
from stdc_port import spec


@dataclass(frozen=True)
class Style:
    """Where the parts of a segmentation network stand.

    Attributes:
        bottleneck: how a key of a bottleneck goes on behind the backbone's prefix.
        context: prefix of the context path; the backbone in it is called ``backbone``.
        arm: how a key of an attention refinement goes on behind that prefix.
    """

    bottleneck: str
    context: str
    arm: str


STYLES = (
    Style(r"features\.\d+\.conv_list\.\d+\.", "cp.", "arm16."),
    Style(r"stages\.[2-9]\.\d+\.layers\.\d+\.(?:\d+\.)?conv\.", "backbone.", "arms.0."),
)
_INNER = "backbone."


def standard_names(names: Iterable[str]) -> dict[str, str]:
    """Return names as the whole network has them, by the names that a file has.

    A file may hold a backbone or a context path alone, with or without the prefix that it has in
    the whole network, and everything may stand under a prefix of a training script's.
    """
    names = tuple(names)
    for style in STYLES:
        pattern = re.compile(rf"(|.+\.){style.bottleneck}")
        roots = {match[1] for name in names if (match := pattern.match(name))}
        if len(roots) == 1:
            old, new = _prefixes(roots.pop(), style, names)
            moved = {n: new + n.removeprefix(old) if n.startswith(old) else n for n in names}
            if len(set(moved.values())) == len(moved):
                return moved
    return dict(zip(names, names, strict=True))


def _prefixes(root: str, style: Style, names: tuple[str, ...]) -> tuple[str, str]:
    """Return a prefix that the file has and what stands for it in the whole network."""
    if all(name.startswith(root) for name in names):
        return root, ""
    context = root.removesuffix(_INNER)
    if context == root or not any(name.startswith(context + style.arm) for name in names):
        return "", ""
    if context.endswith(style.context):
        return context.removesuffix(style.context), ""
    return context, style.context


def recognised(names: Iterable[str], framework: str) -> Naming:
    """Tell whose names a set of standard names are, by keys that only theirs hold."""
    names = set(names)
    if any(name.startswith("cp.arm16.conv._conv.") for name in names):
        return PADDLESEG
    stages = re.compile(rf"(?:backbone\.backbone\.)?{STYLES[1].bottleneck}")
    if any(stages.match(name) for name in names):
        first = any(".avg_pool.conv." in name or ".conv_attn." in name for name in names)
        return MMSEG_FIRST if first else MMSEG
    backbone = any(re.match(STYLES[0].bottleneck, name) for name in names)
    unclassified = not {"fc.weight", "linear.weight"} & names
    return PADDLESEG if backbone and unclassified and framework == "paddle" else NATIVE


def network_of(names: Iterable[str], naming: Naming) -> spec.NetworkSpec | None:
    """Return the network with as many bottlenecks as standard names have, None if none has."""
    names = tuple(names)
    block = r"stages\.([2-9]\.\d+)\." if naming.stages else r"features\.([2-9]|\d\d)\."
    pattern = re.compile(rf"(?:cp\.backbone\.|backbone\.backbone\.)?{block}")
    count = len({match[1] for name in names if (match := pattern.match(name))})
    known = {sum(backbone.depths): name for name, backbone in spec.BACKBONES.items()}
    if count not in known:
        return None
    whole = any(name.startswith(("cp.arm", "backbone.arms.")) for name in names)
    return spec.resolve(
        known[count] + ("-seg" if whole else ""),
        variant=naming.variant or "authors-bn",
        block="add" if any(".skip." in name for name in names) else "cat",
    )


def native_names(
    names: Iterable[str], naming: Naming, network: spec.NetworkSpec
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the names that this project has for an implementation's, and the second ones.

    A name that the implementation does not have is marked with the implementation's, so that it
    cannot pass for the same name of another layer.

    Args:
        names: the implementation's standard names.
        naming: whose they are.
        network: the network that they belong to.

    Returns:
        This project's name by the implementation's; and of those that are second names of a tensor,
        the first one by the second.
    """
    layout = stdc.layout_of(network)
    paths = {naming.path(layer.path, network): layer.path for layer in layout.layers}
    twice = {second: path for path in paths if (second := naming.second_path(path, network))}
    found: dict[str, str] = {}
    seconds: dict[str, str] = {}
    for name in names:
        path, _, tensor = name.rpartition(".")
        again = f"{absolute(path, network.backbone)}.{tensor}"
        found[name] = f"{naming.name}:{name}"
        if path in paths and not naming.why_own(name):
            found[name] = f"{paths[path]}.{tensor}"
        elif path in twice:
            seconds[found[name]] = f"{paths[twice[path]]}.{tensor}"
        elif first := first_of(again, layout):
            seconds[found[name]] = first
    return found, seconds


def first_of(name: str, layout: Layout) -> str:
    """Return the first name of a tensor for the authors' second one, '' if it is none."""
    path, _, tensor = name.rpartition(".")
    first = layout.aliases.get(f"{path}.weight", "")
    return f"{first.removesuffix('weight')}{tensor}" if first else ""


def absolute(path: str, backbone: spec.BackboneSpec) -> str:
    """Return the authors' second name of a layer for Paddle's, which counts every slice from 0.

    Paddle's ``x16.0.0.conv_list…`` is the authors' ``x16.0.4.conv_list…``.
    """
    match = re.fullmatch(r"(.*\b)(x\d+)\.0\.(\d+)\.(.+)", path)
    if match is None or match[2] not in (slices := backbone.map_slices()):
        return path
    return f"{match[1]}{match[2]}.0.{slices[match[2]][0] + int(match[3])}.{match[4]}"
