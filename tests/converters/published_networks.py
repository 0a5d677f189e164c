"""The torch side of networks that paddle.vision has too, with torchvision's state-dict keys."""

from __future__ import annotations

import torch
from published import MOBILENET_V2, VGG16
from torch import nn


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolution; the 3×3 one takes the stride."""

    def __init__(self, inner: int, width: int, stride: int, *, first: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if first:
            project = nn.Conv2d(inner, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(project, nn.BatchNorm2d(4 * width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out)).relu()
        out = self.bn3(self.conv3(out))
        return (out + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet50(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = stage(64, 64, 3, 1)
        self.layer2 = stage(256, 128, 4, 2)
        self.layer3 = stage(512, 256, 6, 2)
        self.layer4 = stage(1024, 512, 3, 2)
        self.fc = nn.Linear(2048, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def stage(inner: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = Bottleneck(inner, width, stride, first=True)
    return nn.Sequential(
        first, *(Bottleneck(4 * width, width, 1, first=False) for _ in range(blocks - 1))
    )


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, narrow."""

    def __init__(self, inner: int, outer: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inner * expansion
        widened = [] if expansion == 1 else [conv_norm(inner, hidden, 1)]
        self.conv = nn.Sequential(
            *widened,
            conv_norm(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outer, 1, bias=False),
            nn.BatchNorm2d(outer),
        )
        self.residual = stride == 1 and inner == outer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers, inner = [conv_norm(3, 32, 3, 2)], 32
        for (expansion, outer, repeats), stride in zip(
            MOBILENET_V2, (1, 2, 2, 2, 1, 2, 1), strict=True
        ):
            for place in range(repeats):
                layers.append(InvertedResidual(inner, outer, 1 if place else stride, expansion))
                inner = outer
        self.features = nn.Sequential(*layers, conv_norm(inner, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def conv_norm(
    inner: int, outer: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    conv = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outer), nn.ReLU6())


class VGG16BN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers, inner = [], 3
        for channels in VGG16:
            if channels:
                conv = nn.Conv2d(inner, channels, 3, padding=1)
                layers += [conv, nn.BatchNorm2d(channels), nn.ReLU()]
                inner = channels
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            *(nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout()),
            nn.Linear(4096, 1000),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.adaptive_avg_pool2d(self.features(x), 7)
        return self.classifier(x.flatten(1))


NETWORKS = {"resnet50": ResNet50, "mobilenet_v2": MobileNetV2, "vgg16_bn": VGG16BN}
