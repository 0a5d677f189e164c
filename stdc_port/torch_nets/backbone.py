"""The STDC backbones and their ImageNet classifier (PyTorch)."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stdc_port.spec import (
    CLASSIFIER_WIDTH,
    DROPOUT,
    LINEAR_INIT_STD,
    STAGE_CHANNELS,
    STEM_CHANNELS,
    BlockSpec,
    NetworkSpec,
    Variant,
    bottleneck_widths,
    fan_out_std,
)


class ConvX(nn.Module):
    """Convolution without bias, BN, ReLU: (N, in, H, W) → (N, out, H/stride, W/stride)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(bn(conv(x)))."""
        return self.relu(self.bn(self.conv(x)))


def depthwise_halving(channels: int) -> list[nn.Module]:
    """Return a depthwise 3×3 convolution of stride 2 and its BN."""
    conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels, bias=False)
    return [conv, nn.BatchNorm2d(channels)]


def bottleneck_convs(spec: BlockSpec, block_num: int) -> nn.ModuleList:
    """Return the convolutions of a bottleneck: one 1×1, then 3×3 ones, each half as wide."""
    widths = bottleneck_widths(spec.out_channels, block_num)
    convs = [ConvX(spec.in_channels, widths[0], 1)]
    convs += [ConvX(wide, narrow, 3) for wide, narrow in pairwise(widths)]
    return nn.ModuleList(convs)


class CatBottleneck(nn.Module):
    """Short-term dense concatenation: the maps of all convolutions side by side."""

    def __init__(self, spec: BlockSpec, variant: Variant, block_num: int = 4) -> None:
        super().__init__()
        self.stride = spec.stride
        self.conv_list = bottleneck_convs(spec, block_num)
        if spec.stride == 2:
            self.avd_layer = nn.Sequential(*depthwise_halving(spec.out_channels // 2))
            self.skip = nn.AvgPool2d(
                3, stride=2, padding=1, count_include_pad=variant.pool_counts_padding
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H/stride, W/stride)."""
        first, *rest = self.conv_list
        out = first(x)
        maps = [self.skip(out) if self.stride == 2 else out]
        if self.stride == 2:
            out = self.avd_layer(out)
        for conv in rest:
            out = conv(out)
            maps.append(out)
        return torch.cat(maps, dim=1)


class AddBottleneck(nn.Module):
    """The same convolutions with the input added, as in a residual network."""

    def __init__(self, spec: BlockSpec, variant: Variant, block_num: int = 4) -> None:  # noqa: ARG002
        super().__init__()
        self.stride = spec.stride
        self.conv_list = bottleneck_convs(spec, block_num)
        if spec.stride == 2:
            self.avd_layer = nn.Sequential(*depthwise_halving(spec.out_channels // 2))
            self.skip = nn.Sequential(
                *depthwise_halving(spec.in_channels),
                nn.Conv2d(spec.in_channels, spec.out_channels, 1, bias=False),
                nn.BatchNorm2d(spec.out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H/stride, W/stride)."""
        first, *rest = self.conv_list
        out = first(x)
        if self.stride == 2:
            out = self.avd_layer(out)
        maps = [out]
        for conv in rest:
            out = conv(out)
            maps.append(out)
        return torch.cat(maps, dim=1) + (self.skip(x) if self.stride == 2 else x)


BOTTLENECKS: dict[str, type[CatBottleneck | AddBottleneck]] = {
    "cat": CatBottleneck,
    "add": AddBottleneck,
}


class FeaturePyramid(nn.ModuleList):
    """The layers of a backbone in order; calling it gives the map at the end of each stage."""

    def __init__(self, spec: NetworkSpec) -> None:
        stem = (3, *STEM_CHANNELS)
        layers: list[nn.Module] = [ConvX(i, o, 3, stride=2) for i, o in pairwise(stem)]
        block = BOTTLENECKS[spec.block]
        layers += [block(block_spec, spec.variant) for block_spec in spec.backbone.blocks()]
        super().__init__(layers)
        self.ends = tuple(end - 1 for _, end in spec.backbone.map_slices().values())

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map (N, 3, H, W) to five maps of 32, 64, 256, 512, 1024 channels at strides 2 to 32."""
        maps = []
        for index, layer in enumerate(self):
            x = layer(x)
            if index in self.ends:
                maps.append(x)
        return tuple(maps)


class STDCNet(nn.Module):
    """An STDC backbone with the authors' ImageNet classifier.

    ``features(x)`` gives the five maps, calling the network the logits. ``bn`` is in every
    published checkpoint and in no forward pass. A segmentation network holds one of these and
    uses its ``features`` alone.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.features = FeaturePyramid(spec)
        self.conv_last = ConvX(STAGE_CHANNELS[-1], CLASSIFIER_WIDTH, 1)
        self.fc = nn.Linear(CLASSIFIER_WIDTH, CLASSIFIER_WIDTH, bias=False)
        self.bn = nn.BatchNorm1d(CLASSIFIER_WIDTH)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(DROPOUT)
        self.linear = nn.Linear(CLASSIFIER_WIDTH, spec.num_classes, bias=False)
        initialise_backbone(self)
        # The authors register the stages a second time; their files hold both names of a tensor.
        for name, (start, end) in spec.backbone.map_slices().items():
            self.add_module(name, nn.Sequential(alias_of(self.features, start, end)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to logits (N, classes)."""
        out = self.conv_last(self.features(x)[-1]).pow(2)
        out = F.adaptive_avg_pool2d(out, 1).flatten(1)  # (N, 1024)
        out = self.dropout(self.relu(self.fc(out)))
        return self.linear(out)


def alias_of(features: FeaturePyramid, start: int, end: int) -> nn.Sequential:
    """Return the same layers under the same inner indices, as a slice of a Sequential has them."""
    alias = nn.Sequential()
    for index in range(start, end):
        alias.add_module(str(index), features[index])
    return alias


def initialise_backbone(network: nn.Module) -> None:
    """Initialise as the authors do: Kaiming fan-out, BN one and zero, Linear of small spread."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=fan_out_std(tuple(layer.weight.shape)))
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=LINEAR_INIT_STD)
