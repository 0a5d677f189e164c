"""The layout of STDC in the authors' key names, derived from :mod:`stdc_port.spec`.

A classifier's keys begin with ``features.``, a segmentation network's backbone stands under
``cp.backbone.``. The stages stand in a file twice: ``x16.0.4.conv…`` is ``features.4.conv…``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from converters.errors import InputError
from converters.layouts import Layer, Layout, join
from stdc_port import spec

Shapes = Mapping[str, tuple[int, ...]]
BACKBONE = "cp.backbone"
# What stands behind the backbone's maps: no segmentation network computes it.
CLASSIFIER = ("conv_last", "fc", "bn", "linear")
_BOTTLENECK = re.compile(rf"({re.escape(BACKBONE)}\.|)features\.\d+\.conv_list\.")
COUNTER = "num_batches_tracked"


def detect(shapes: Shapes, arch: str = "auto", *, framework: str = "torch") -> Layout | None:
    """Return the layout that a set of keys has, None if they are none of STDC's.

    Args:
        shapes: shapes by key, without wrapper and prefix.
        arch: the network's name if known, ``auto`` otherwise.
        framework: whose names and shapes they are.

    Raises:
        InputError: the keys are STDC's, but of another network than ``arch``.
    """
    roots = {match[1] for key in shapes if (match := _BOTTLENECK.match(key))}
    if not roots:
        return None
    root = BACKBONE if BACKBONE in {one.removesuffix(".") for one in roots} else ""
    found = backbone_name(shapes, root) + ("-seg" if root else "")
    if arch not in ("auto", found):
        raise InputError(f"the keys are those of {found}, not of {arch}; leave out --arch {arch}")
    classifier = shapes.get("conv_out.conv_out.weight" if root else "linear.weight", ())
    classes = classifier[::-1] if framework == "paddle" and not root else classifier
    if 0 in classes:
        raise InputError(f"a classifier of shape {list(classifier)} has no classes")
    network = spec.resolve(
        found,
        variant=variant_of(shapes, root),
        num_classes=classes[0] if classes else None,
        block="add" if any(".skip." in key for key in shapes) else "cat",
    )
    # A torch file without any counters was saved by a version that had none.
    counted = framework == "paddle" or any(key.endswith(COUNTER) for key in shapes)
    layout = layout_of(network, counted=counted)
    return layout if classes else replace(layout, num_classes=None)


def variant_of(shapes: Shapes, root: str) -> str:
    """Tell the variants by the biases of the heads, and in-place ABN by the counters of batches.

    In-place ABN has none, where the plain BN of the same file's backbone has them. A classifier
    is all plain BN without biases, and the same in all.
    """
    if root and "cp.arm16.conv.conv.bias" in shapes:
        return "paddleseg"
    if "conv_out.conv_out.bias" in shapes:
        return "mmseg"
    head = any(key.endswith(COUNTER) and not key.startswith(BACKBONE) for key in shapes)
    backbone = any(key.endswith(COUNTER) and key.startswith(BACKBONE) for key in shapes)
    return "authors" if not root or (backbone and not head) else "authors-bn"


def backbone_name(shapes: Shapes, root: str) -> str:
    """Return the backbone with as many layers as the keys have.

    Raises:
        InputError: no backbone has that many.
    """
    pattern = re.compile(re.escape(join(root, "features.")) + r"(\d+)\.")
    count = len({match[1] for key in shapes if (match := pattern.match(key))})
    known = {2 + sum(backbone.depths): name for name, backbone in spec.BACKBONES.items()}
    if count not in known:
        depths = " or ".join(f"{n} ({name})" for n, name in known.items())
        raise InputError(
            f"an STDC backbone of {count} layers under 'features'; expected {depths}; "
            "--arch generic converts any network"
        )
    return known[count]


def is_counted(layout: Layout) -> bool:
    """Return whether the plain batch norms of a layout count batches."""
    return any(COUNTER in layer.shapes for layer in layout.layers)


def network_of(layout: Layout, variant: str) -> spec.NetworkSpec:
    """Return the specification of a layout's network in another variant."""
    block = "add" if any(".skip." in f"{one.path}." for one in layout.layers) else "cat"
    return spec.resolve(layout.arch, variant=variant, num_classes=layout.num_classes, block=block)


def layout_of(network: spec.NetworkSpec, *, counted: bool = True) -> Layout:
    """Return the layout of a network, ``counted`` if its plain BN counts batches."""
    layers = tuple(_segmentation(network) if network.segmentation else _classifier(network, ""))
    if not counted:
        layers = tuple(
            Layer(layer.path, layer.kind, {k: v for k, v in layer.shapes.items() if k != COUNTER})
            for layer in layers
        )
    arch = network.backbone.name + ("-seg" if network.segmentation else "")
    aliases = dict(_aliases(network, layers))
    return Layout(layers, aliases, arch, network.variant.name, network.num_classes)


def _aliases(network: spec.NetworkSpec, layers: tuple[Layer, ...]) -> Iterator[tuple[str, str]]:
    root = BACKBONE if network.segmentation else ""
    for name, (start, end) in network.backbone.map_slices().items():
        for index in range(start, end):
            first, second = join(root, f"features.{index}."), join(root, f"{name}.0.{index}.")
            for layer in layers:
                if f"{layer.path}.".startswith(first):
                    for tensor in layer.shapes:
                        key = join(layer.path, tensor)
                        yield second + key.removeprefix(first), key


def _conv(path: str, inner: int, outer: int, kernel: int, *, bias: bool = False) -> Layer:
    weight = {"weight": (outer, inner, kernel, kernel)}
    return Layer(path, "conv", weight | ({"bias": (outer,)} if bias else {}))


def _norm(path: str, channels: int, kind: str = "batch_norm") -> Layer:
    names = ("weight", "bias", "running_mean", "running_var")
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(names, (channels,))
    return Layer(path, kind, shapes if kind == "inplace_abn" else shapes | {COUNTER: ()})


def _convx(path: str, inner: int, outer: int, kernel: int) -> list[Layer]:
    return [_conv(f"{path}.conv", inner, outer, kernel), _norm(f"{path}.bn", outer)]


def _halving(path: str, channels: int) -> list[Layer]:
    return [_conv(f"{path}.0", 1, channels, 3), _norm(f"{path}.1", channels)]


def _block(path: str, block: spec.BlockSpec, kind: str) -> Iterator[Layer]:
    widths = spec.bottleneck_widths(block.out_channels, 4)
    yield from _convx(f"{path}.conv_list.0", block.in_channels, widths[0], 1)
    for index, (wide, narrow) in enumerate(pairwise(widths), start=1):
        yield from _convx(f"{path}.conv_list.{index}", wide, narrow, 3)
    if block.stride == 2:
        yield from _halving(f"{path}.avd_layer", widths[0])
    if block.stride == 2 and kind == "add":
        yield from _halving(f"{path}.skip", block.in_channels)
        yield _conv(f"{path}.skip.2", block.in_channels, block.out_channels, 1)
        yield _norm(f"{path}.skip.3", block.out_channels)


def _classifier(network: spec.NetworkSpec, root: str) -> Iterator[Layer]:
    stem, width = (3, *spec.STEM_CHANNELS), spec.CLASSIFIER_WIDTH
    for index, (inner, outer) in enumerate(pairwise(stem)):
        yield from _convx(join(root, f"features.{index}"), inner, outer, 3)
    for index, block in enumerate(network.backbone.blocks(), start=2):
        yield from _block(join(root, f"features.{index}"), block, network.block)
    yield from _convx(join(root, "conv_last"), spec.STAGE_CHANNELS[-1], width, 1)
    yield Layer(join(root, "fc"), "linear", {"weight": (width, width)})
    yield _norm(join(root, "bn"), width)
    classes = spec.IMAGENET_CLASSES if root else network.num_classes
    yield Layer(join(root, "linear"), "linear", {"weight": (classes, width)})


def _segmentation(network: spec.NetworkSpec) -> Iterator[Layer]:
    yield from _classifier(network, BACKBONE)
    variant, width, fused = network.variant, spec.CONTEXT_CHANNELS, spec.FUSION_CHANNELS
    kind = variant.head_norm
    channels2, channels4, channels8, channels16, channels32 = spec.MAP_CHANNELS

    def block(path: str, inner: int, outer: int, kernel: int) -> Iterator[Layer]:
        yield _conv(f"{path}.conv", inner, outer, kernel, bias=variant.block_bias)
        yield _norm(f"{path}.bn", outer, kind)

    for name, inner in (("cp.arm16", channels16), ("cp.arm32", channels32)):
        yield from block(f"{name}.conv", inner, width, 3)
        yield _conv(f"{name}.conv_atten", width, width, 1, bias=variant.attention_bias)
        yield _norm(f"{name}.bn_atten", width, kind)
    yield from block("cp.conv_head32", width, width, 3)
    yield from block("cp.conv_head16", width, width, 3)
    yield from block("cp.conv_avg", channels32, width, 1)
    yield from block("ffm.convblk", channels8 + width, fused, 1)
    yield _conv("ffm.conv1", fused, fused // 4, 1, bias=variant.attention_bias)
    yield _conv("ffm.conv2", fused // 4, fused, 1, bias=variant.attention_bias)
    middle = spec.AUXILIARY_CHANNELS
    for name, inner, inside, outer in (
        ("conv_out", fused, fused, network.num_classes),
        ("conv_out16", width, middle, network.num_classes),
        ("conv_out32", width, middle, network.num_classes),
        ("conv_out_sp16", channels16, middle, 1),
        ("conv_out_sp8", channels8, middle, 1),
        ("conv_out_sp4", channels4, middle, 1),
        ("conv_out_sp2", channels2, middle, 1),
    ):
        yield from block(f"{name}.conv", inner, inside, 3)
        yield _conv(f"{name}.conv_out", inside, outer, 1, bias=variant.classifier_bias)
