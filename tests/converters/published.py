"""The state dicts that torchvision publishes, by key and shape, written from the architectures."""

from __future__ import annotations

from collections.abc import Iterator

Shape = tuple[int, ...]
Tensors = Iterator[tuple[str, Shape]]

VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
# Expansion, channels, repeats.
MOBILENET_V2 = (
    *((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4)),
    *((6, 96, 3), (6, 160, 3), (6, 320, 1)),
)


def norm(path: str, channels: int) -> Tensors:
    for name in ("weight", "bias", "running_mean", "running_var"):
        yield f"{path}.{name}", (channels,)
    yield f"{path}.num_batches_tracked", ()


def linear(path: str, inner: int, outer: int) -> Tensors:
    yield f"{path}.weight", (outer, inner)
    yield f"{path}.bias", (outer,)


def resnet50() -> Tensors:
    yield "conv1.weight", (64, 3, 7, 7)
    yield from norm("bn1", 64)
    inner = 64
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
        for block in range(blocks):
            path = f"layer{stage}.{block}"
            for index, (one, two, kernel) in enumerate(
                ((inner, width, 1), (width, width, 3), (width, 4 * width, 1)), start=1
            ):
                yield f"{path}.conv{index}.weight", (two, one, kernel, kernel)
                yield from norm(f"{path}.bn{index}", two)
            if block == 0:
                yield f"{path}.downsample.0.weight", (4 * width, inner, 1, 1)
                yield from norm(f"{path}.downsample.1", 4 * width)
            inner = 4 * width
    yield from linear("fc", 2048, 1000)


def mobilenet_v2() -> Tensors:
    def block(path: str, inner: int, outer: int, kernel: int, groups: int = 1) -> Tensors:
        yield f"{path}.0.weight", (outer, inner // groups, kernel, kernel)
        yield from norm(f"{path}.1", outer)

    yield from block("features.0", 3, 32, 3)
    inner, index = 32, 1
    for expansion, channels, repeats in MOBILENET_V2:
        for _ in range(repeats):
            path, hidden, place = f"features.{index}.conv", inner * expansion, 0
            if expansion != 1:
                yield from block(f"{path}.0", inner, hidden, 1)
                place = 1
            yield from block(f"{path}.{place}", hidden, hidden, 3, hidden)
            yield f"{path}.{place + 1}.weight", (channels, hidden, 1, 1)
            yield from norm(f"{path}.{place + 2}", channels)
            inner, index = channels, index + 1
    yield from block("features.18", 320, 1280, 1)
    yield from linear("classifier.1", 1280, 1000)


def vgg16_bn() -> Tensors:
    inner, place = 3, 0
    for channels in VGG16:
        if channels:
            yield f"features.{place}.weight", (channels, inner, 3, 3)
            yield f"features.{place}.bias", (channels,)
            yield from norm(f"features.{place + 1}", channels)
            inner = channels
        place += 3 if channels else 1
    yield from linear("classifier.0", 512 * 7 * 7, 4096)
    yield from linear("classifier.3", 4096, 4096)
    yield from linear("classifier.6", 4096, 1000)
