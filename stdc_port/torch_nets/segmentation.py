"""STDC-Seg: attention refinement, feature fusion, and heads over a backbone (PyTorch)."""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stdc_port.spec import (
    AUXILIARY_CHANNELS,
    BN_EPSILON,
    CONTEXT_CHANNELS,
    FUSION_CHANNELS,
    IMAGENET_CLASSES,
    MAP_CHANNELS,
    NetworkSpec,
    Variant,
    fan_in_std,
)
from stdc_port.torch_nets.backbone import STDCNet

SegOutput: TypeAlias = "Tensor | tuple[Tensor, Tensor, Tensor, Tensor]"


class InPlaceABN(nn.Module):
    """The 2018 in-place activated batch norm without activation: its scale is |weight| + eps.

    It registers no ``num_batches_tracked``. Source: mapillary/inplace_abn, issues 92 and 180.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = BN_EPSILON, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W) over all axes but the channels."""
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight.abs() + self.eps,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )


def head_norm(channels: int, variant: Variant) -> nn.Module:
    """Return the normalisation that the variant has outside its backbone."""
    return InPlaceABN(channels) if variant.head_norm == "inplace_abn" else nn.BatchNorm2d(channels)


class ConvBNReLU(nn.Module):
    """Convolution, BN, and ReLU unless told otherwise; keeps the size."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        variant: Variant,
        *,
        activation: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, padding=kernel // 2, bias=variant.block_bias
        )
        self.bn = head_norm(out_channels, variant)
        self.relu = nn.ReLU() if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H, W)."""
        return self.relu(self.bn(self.conv(x)))


class AttentionRefinement(nn.Module):
    """A 3×3 convolution whose channels are weighted by the image's mean."""

    def __init__(self, in_channels: int, out_channels: int, variant: Variant) -> None:
        super().__init__()
        self.conv = ConvBNReLU(in_channels, out_channels, 3, variant, activation=variant.arm_relu)
        self.conv_atten = nn.Conv2d(out_channels, out_channels, 1, bias=variant.attention_bias)
        self.bn_atten = head_norm(out_channels, variant)
        self.sigmoid_atten = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H, W)."""
        feat = self.conv(x)
        atten = self.conv_atten(F.adaptive_avg_pool2d(feat, 1))  # (N, out, 1, 1)
        return feat * self.sigmoid_atten(self.bn_atten(atten))


class ContextPath(nn.Module):
    """The backbone with its two deepest maps refined and enlarged to stride 8."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        variant, width = spec.variant, CONTEXT_CHANNELS
        *_, channels16, channels32 = MAP_CHANNELS
        self.backbone = STDCNet(classifier_of(spec))
        self.arm16 = AttentionRefinement(channels16, width, variant)
        self.arm32 = AttentionRefinement(channels32, width, variant)
        self.conv_head32 = ConvBNReLU(width, width, 3, variant)
        self.conv_head16 = ConvBNReLU(width, width, 3, variant)
        self.conv_avg = ConvBNReLU(channels32, width, 1, variant)

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Map (N, 3, H, W) to the five maps and two context maps of stride 8 and 16.

        The context maps have 128 channels.
        """
        maps = self.backbone.features(x)
        _, _, feat8, feat16, feat32 = maps
        avg = self.conv_avg(F.adaptive_avg_pool2d(feat32, 1))
        context32 = self.arm32(feat32) + enlarge_nearest(avg, feat32)
        context16 = self.conv_head32(enlarge_nearest(context32, feat16))
        context16_refined = self.arm16(feat16) + context16
        context8 = self.conv_head16(enlarge_nearest(context16_refined, feat8))
        return maps, context8, context16


class FeatureFusion(nn.Module):
    """The spatial map and the context map side by side, mixed and reweighted."""

    def __init__(self, in_channels: int, out_channels: int, variant: Variant) -> None:
        super().__init__()
        middle = out_channels // 4
        self.convblk = ConvBNReLU(in_channels, out_channels, 1, variant)
        self.conv1 = nn.Conv2d(out_channels, middle, 1, bias=variant.attention_bias)
        self.conv2 = nn.Conv2d(middle, out_channels, 1, bias=variant.attention_bias)
        self.relu = nn.ReLU()
        self.sigmoid = nn.Sigmoid()

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        """Map (N, a, H, W) and (N, b, H, W), a + b = in, to (N, out, H, W)."""
        feat = self.convblk(torch.cat([spatial, context], dim=1))
        atten = self.conv1(F.adaptive_avg_pool2d(feat, 1))  # (N, out/4, 1, 1)
        atten = self.sigmoid(self.conv2(self.relu(atten)))
        return feat * atten + feat


class BiSeNetOutput(nn.Module):
    """A head: 3×3 block and 1×1 classifier."""

    def __init__(self, in_channels: int, middle: int, classes: int, variant: Variant) -> None:
        super().__init__()
        self.conv = ConvBNReLU(in_channels, middle, 3, variant)
        self.conv_out = nn.Conv2d(middle, classes, 1, bias=variant.classifier_bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to logits (N, classes, H, W)."""
        return self.conv_out(self.conv(x))


class STDCSeg(nn.Module):
    """STDC-Seg. In training (logits, logits16, logits32, detail8), in evaluation the logits."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        variant, classes = spec.variant, spec.num_classes
        channels2, channels4, channels8, channels16, _ = MAP_CHANNELS
        width, fused = CONTEXT_CHANNELS, FUSION_CHANNELS
        self.aux_align_corners = variant.aux_align_corners
        self.cp = ContextPath(spec)
        self.ffm = FeatureFusion(channels8 + width, fused, variant)
        self.conv_out = BiSeNetOutput(fused, fused, classes, variant)
        self.conv_out16 = BiSeNetOutput(width, AUXILIARY_CHANNELS, classes, variant)
        self.conv_out32 = BiSeNetOutput(width, AUXILIARY_CHANNELS, classes, variant)
        # Four detail heads are in every published file; the published runs use the one on x8.
        self.conv_out_sp16 = BiSeNetOutput(channels16, AUXILIARY_CHANNELS, 1, variant)
        self.conv_out_sp8 = BiSeNetOutput(channels8, AUXILIARY_CHANNELS, 1, variant)
        self.conv_out_sp4 = BiSeNetOutput(channels4, AUXILIARY_CHANNELS, 1, variant)
        self.conv_out_sp2 = BiSeNetOutput(channels2, AUXILIARY_CHANNELS, 1, variant)
        initialise_heads(self)

    def forward(self, x: Tensor) -> SegOutput:
        """Map (N, 3, H, W) to class logits (N, classes, H, W).

        In training also the two auxiliary class maps, (N, classes, H, W), and the detail logits,
        (N, 1, H/8, W/8).
        """
        maps, context8, context16 = self.cp(x)
        feat8 = maps[2]
        logits = self.conv_out(self.ffm(feat8, context8))
        logits = enlarge_bilinear(logits, x, align_corners=True)
        if not self.training:
            return logits
        align = self.aux_align_corners
        logits16 = enlarge_bilinear(self.conv_out16(context8), x, align_corners=align)
        logits32 = enlarge_bilinear(self.conv_out32(context16), x, align_corners=align)
        return logits, logits16, logits32, self.conv_out_sp8(feat8)


def classifier_of(spec: NetworkSpec) -> NetworkSpec:
    """Return the specification of the classifier that a segmentation network carries along."""
    return NetworkSpec(spec.backbone, False, spec.variant, IMAGENET_CLASSES, spec.block)


def enlarge_nearest(x: Tensor, like: Tensor) -> Tensor:
    """Enlarge (N, C, h, w) to the height and width of ``like`` by nearest neighbour."""
    return F.interpolate(x, size=like.shape[2:], mode="nearest")


def enlarge_bilinear(x: Tensor, like: Tensor, *, align_corners: bool) -> Tensor:
    """Enlarge (N, C, h, w) to the height and width of ``like``, bilinear."""
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=align_corners)


def initialise_heads(network: STDCSeg) -> None:
    """Initialise all outside the backbone as the authors do: normal, 1/√fan_in."""
    backbone = set(network.cp.backbone.modules())
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer not in backbone:
            nn.init.normal_(layer.weight, std=fan_in_std(tuple(layer.weight.shape)))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
