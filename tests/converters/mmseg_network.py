"""The backbone as MMSegmentation builds it: its own module tree, to run converted weights against.

Written from the structure of ``mmseg/models/backbones/stdc.py``; the names of the modules are its.
"""

import torch
from torch import Tensor, nn


class ConvModule(nn.Module):
    def __init__(
        self,
        inner: int,
        outer: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        act: bool = True,
    ) -> None:
        super().__init__()
        options = {"stride": stride, "padding": kernel // 2, "groups": groups, "bias": False}
        self.conv = nn.Conv2d(inner, outer, kernel, **options)
        self.bn = nn.BatchNorm2d(outer)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return x.relu() if self.act else x


class Bottleneck(nn.Module):
    def __init__(self, inner: int, outer: int, stride: int, *, add: bool) -> None:
        super().__init__()
        self.add, self.halves = add, stride == 2
        half = outer // 2
        first: nn.Module = ConvModule(inner, half, 1)
        if self.halves:
            self.downsample = ConvModule(half, half, 3, 2, groups=half, act=False)
            self.skip: nn.Module = nn.AvgPool2d(3, 2, 1)
            if add:
                first = nn.Sequential(first, self.downsample)
                shrink = ConvModule(inner, inner, 3, 2, groups=inner, act=False)
                self.skip = nn.Sequential(shrink, ConvModule(inner, outer, 1, act=False))
        quarter, eighth = half // 2, half // 4
        rest = [(half, quarter), (quarter, eighth), (eighth, eighth)]
        self.layers = nn.ModuleList([first, *(ConvModule(i, o, 3) for i, o in rest)])

    def forward(self, x: Tensor) -> Tensor:
        first, *rest = self.layers
        out = first(x)
        maps = [out]
        if self.halves and not self.add:
            maps, out = [self.skip(out)], self.downsample(out)
        for layer in rest:
            out = layer(out)
            maps.append(out)
        joined = torch.cat(maps, 1)
        if not self.add:
            return joined
        return joined + (self.skip(x) if self.halves else x)


class Backbone(nn.Module):
    def __init__(self, depths: tuple[int, ...], *, add: bool) -> None:
        super().__init__()
        self.stages = nn.ModuleList([ConvModule(3, 32, 3, 2), ConvModule(32, 64, 3, 2)])
        inner = 64
        for outer, depth in zip((256, 512, 1024), depths, strict=True):
            first = Bottleneck(inner, outer, 2, add=add)
            more = [Bottleneck(outer, outer, 1, add=add) for _ in range(depth - 1)]
            self.stages.append(nn.Sequential(first, *more))
            inner = outer

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps
