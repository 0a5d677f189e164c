"""Depths, widths and variants of STDC: the one source of both definitions.

Facts from "Rethinking BiSeNet For Real-time Semantic Segmentation" (Fan et al., CVPR 2021,
arXiv 2104.13188) and its published code. Nothing here imports a framework.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

BlockKind = Literal["cat", "add"]

STEM_CHANNELS = (32, 64)
STAGE_CHANNELS = (256, 512, 1024)
MAP_NAMES = ("x2", "x4", "x8", "x16", "x32")
MAP_CHANNELS = (*STEM_CHANNELS, *STAGE_CHANNELS)
CLASSIFIER_WIDTH = 1024
CONTEXT_CHANNELS = 128
FUSION_CHANNELS = 256
AUXILIARY_CHANNELS = 64

IMAGENET_CLASSES = 1000
CITYSCAPES_CLASSES = 19
IGNORED_LABEL = 255

# Of RGB values between 0 and 1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

DROPOUT = 0.2
LINEAR_INIT_STD = 0.001
BN_EPSILON = 1e-5

OHEM_THRESHOLD = 0.7
OHEM_SHARE = 16
EDGE_STRIDES = (1, 2, 4)
FUSE_WEIGHTS = (0.6, 0.3, 0.1)
# 0.1 as float32 has it: an edge at stride 4 alone, weighing 0.1, must not exceed the threshold
# in double precision either.
EDGE_THRESHOLD = 0.10000000149011612


@dataclass(frozen=True)
class BlockSpec:
    """One bottleneck of a backbone."""

    in_channels: int
    out_channels: int
    stride: int


@dataclass(frozen=True)
class BackboneSpec:
    """Depth of one backbone.

    Attributes:
        name: short name, as in the paper.
        authors_name: class name in the authors' repository and in their file names.
        depths: bottlenecks in each of the three stages.
    """

    name: str
    authors_name: str
    depths: tuple[int, int, int]

    def blocks(self) -> list[BlockSpec]:
        """Return the bottlenecks in order; the first of a stage halves the map."""
        specs, channels = [], STEM_CHANNELS[-1]
        for width, depth in zip(STAGE_CHANNELS, self.depths, strict=True):
            for position in range(depth):
                specs.append(BlockSpec(channels, width, 2 if position == 0 else 1))
                channels = width
        return specs

    def map_slices(self) -> dict[str, tuple[int, int]]:
        """Return for each feature map its half-open range of indices into ``features``."""
        bounds = [0, 1, 2]
        for depth in self.depths:
            bounds.append(bounds[-1] + depth)
        return {name: (bounds[i], bounds[i + 1]) for i, name in enumerate(MAP_NAMES)}


BACKBONES = {
    "stdc1": BackboneSpec("stdc1", "STDCNet813", (2, 2, 2)),
    "stdc2": BackboneSpec("stdc2", "STDCNet1446", (4, 5, 3)),
}
ARCHS = ("stdc1", "stdc2", "stdc1-seg", "stdc2-seg")


@dataclass(frozen=True)
class Variant:
    """What the published implementations do differently; one row each in :data:`VARIANTS`.

    Attributes:
        name: key in :data:`VARIANTS`.
        pool_counts_padding: the skip's average pool divides by 9 at the border, too.
        block_bias: convolutions followed by BN outside the backbone have a bias.
        attention_bias: the 1×1 convolutions of the attentions have a bias.
        classifier_bias: the last 1×1 convolution of every head has a bias.
        arm_relu: the 3×3 convolution of an attention refinement ends in ReLU.
        head_norm: normalisation outside the backbone. ``inplace_abn`` is the 2018 mapillary
            layer, whose scale is ``|weight| + eps``.
        aux_align_corners: ``align_corners`` of the two auxiliary class maps (the main one: True).
        colour_mean: what its published weights want subtracted from RGB values between 0 and 1.
        colour_std: what they want them divided by then.
    """

    name: str
    pool_counts_padding: bool = True
    block_bias: bool = False
    attention_bias: bool = False
    classifier_bias: bool = False
    arm_relu: bool = True
    head_norm: Literal["inplace_abn", "batch_norm"] = "batch_norm"
    aux_align_corners: bool = True
    colour_mean: tuple[float, float, float] = IMAGENET_MEAN
    colour_std: tuple[float, float, float] = IMAGENET_STD


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("authors", head_norm="inplace_abn"),
        # The authors' network with plain BN: what remains once |weight| + eps is folded.
        Variant("authors-bn"),
        Variant(
            "paddleseg",
            pool_counts_padding=False,
            block_bias=True,
            attention_bias=True,
            classifier_bias=True,
            colour_mean=(0.5, 0.5, 0.5),
            colour_std=(0.5, 0.5, 0.5),
        ),
        # MMSegmentation as it was first proposed, and since its release: the refinement modules
        # are BiSeNet's there, whose convolutions end in ReLU (backbones/bisenetv1.py).
        Variant("mmseg", classifier_bias=True, arm_relu=False, aux_align_corners=False),
        Variant("mmseg-relu", classifier_bias=True, aux_align_corners=False),
    )
}


@dataclass(frozen=True)
class NetworkSpec:
    """A network as asked for: which backbone, with which head, in which variant."""

    backbone: BackboneSpec
    segmentation: bool
    variant: Variant
    num_classes: int
    block: BlockKind


class LossParts(NamedTuple):
    """Loss of one batch and its parts, each a scalar tensor of the framework in use."""

    total: Any
    ohem: Any
    ohem16: Any
    ohem32: Any
    bce: Any
    dice: Any


def resolve(
    arch: str, *, variant: str = "authors", num_classes: int | None = None, block: str = "cat"
) -> NetworkSpec:
    """Turn the arguments of ``build`` into a specification.

    Args:
        arch: one of :data:`ARCHS`.
        variant: a key of :data:`VARIANTS`.
        num_classes: outputs; 1000 for a classifier and 19 for a segmentation network if None.
        block: ``cat`` (the published networks) or ``add``.

    Raises:
        ValueError: a name is unknown or ``num_classes`` is below 1; the valid ones are listed.
    """
    for what, name, known in (
        ("arch", arch, ARCHS),
        ("variant", variant, tuple(VARIANTS)),
        ("block", block, ("cat", "add")),
    ):
        if name not in known:
            raise ValueError(f"unknown {what} {name!r}: choose one of {', '.join(known)}")
    segmentation = arch.endswith("-seg")
    if num_classes is None:
        num_classes = CITYSCAPES_CLASSES if segmentation else IMAGENET_CLASSES
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    backbone = BACKBONES[arch.removesuffix("-seg")]
    kind: BlockKind = "add" if block == "add" else "cat"
    return NetworkSpec(backbone, segmentation, VARIANTS[variant], num_classes, kind)


def bottleneck_widths(out_channels: int, block_num: int) -> list[int]:
    """Return the output channels of a bottleneck's convolutions; they sum to ``out_channels``.

    Each convolution halves the width, the last one repeats it: 256 in four gives 128, 64, 32, 32.
    """
    halves = [out_channels // 2 ** (i + 1) for i in range(block_num - 1)]
    return [*halves, halves[-1]]


def fan_out_std(shape: tuple[int, ...]) -> float:
    """Return the Kaiming standard deviation √(2/fan_out) of a convolution weight (out, in, k, k).

    The fan counts the output channels, as torch does, also in a depthwise convolution.
    """
    return math.sqrt(2.0 / (shape[0] * shape[2] * shape[3]))


def fan_in_std(shape: tuple[int, ...]) -> float:
    """Return 1/√fan_in of a convolution weight (out, in, k, k): the authors' head initialiser."""
    return math.sqrt(1.0 / (shape[1] * shape[2] * shape[3]))
