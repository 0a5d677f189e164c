"""STDC files as PaddleSeg, MMSegmentation and the authors write them; the keys are written down."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from samples import array_tensor, bits, generator

from converters.checkpoint import Checkpoint
from converters.elements import target_arrays
from converters.execution import written_entries
from stdc_port import torch_nets

DEPTHS = {"stdc1": (2, 2, 2), "stdc2": (4, 5, 3)}
CLASSES = 5
SECOND = tuple(f"cp.backbone.x{stride}." for stride in (2, 4, 8, 16, 32))
Tensors = Iterator[tuple[str, tuple[int, ...]]]


def bn(path: str, channels: int, framework: str) -> Tensors:
    statistics = ("_mean", "_variance")
    if framework == "torch":
        statistics = ("running_mean", "running_var")
        yield f"{path}.num_batches_tracked", ()
    for tensor in ("weight", "bias", *statistics):
        yield f"{path}.{tensor}", (channels,)


def block(path: str, inner: int, outer: int, kernel: int, framework: str, *, bias: bool) -> Tensors:
    """A convolution and its norm; PaddleSeg's shared block has its own names, and a bias."""
    conv, norm = ("_conv", "_batch_norm") if bias else ("conv", "bn")
    yield f"{path}.{conv}.weight", (outer, inner, kernel, kernel)
    if bias:
        yield f"{path}.{conv}.bias", (outer,)
    yield from bn(f"{path}.{norm}", outer, framework)


def bottleneck(path: str, inner: int, outer: int, fw: str, *, add: bool = False) -> Tensors:
    """As the authors and PaddleSeg have it; an 'add' bottleneck has a skip with weights."""
    widths = [outer // 2, outer // 4, outer // 8, outer // 8]
    for index, (one, two) in enumerate(zip([inner, *widths], widths, strict=False)):
        kernel = 3 if index else 1
        yield from block(f"{path}.conv_list.{index}", one, two, kernel, fw, bias=False)
    if inner != outer:
        yield f"{path}.avd_layer.0.weight", (outer // 2, 1, 3, 3)
        yield from bn(f"{path}.avd_layer.1", outer // 2, fw)
        if add:
            yield f"{path}.skip.0.weight", (inner, 1, 3, 3)
            yield from bn(f"{path}.skip.1", inner, fw)
            yield f"{path}.skip.2.weight", (outer, inner, 1, 1)
            yield from bn(f"{path}.skip.3", outer, fw)


def mmseg_bottleneck(path: str, inner: int, outer: int, half: str, *, add: bool) -> Tensors:
    """Where an 'add' bottleneck halves its map, two layers are in one, the second of them twice."""
    widths = [outer // 2, outer // 4, outer // 8, outer // 8]
    within = add and inner != outer
    for index, (one, two) in enumerate(zip([inner, *widths], widths, strict=False)):
        name = f"{path}.layers.0.0" if within and not index else f"{path}.layers.{index}"
        yield from block(name, one, two, 3 if index else 1, "torch", bias=False)
    halving = [f"{path}.{half}", f"{path}.layers.0.1"] if within else [f"{path}.{half}"]
    for name in halving if inner != outer else []:
        yield f"{name}.conv.weight", (outer // 2, 1, 3, 3)
        yield from bn(f"{name}.bn", outer // 2, "torch")
    if within:
        yield f"{path}.skip.0.conv.weight", (inner, 1, 3, 3)
        yield from bn(f"{path}.skip.0.bn", inner, "torch")
        yield from block(f"{path}.skip.1", inner, outer, 1, "torch", bias=False)


def paddleseg_backbone(name: str, root: str = "", *, add: bool = False) -> Tensors:
    yield from block(f"{root}features.0", 3, 32, 3, "paddle", bias=False)
    yield from block(f"{root}features.1", 32, 64, 3, "paddle", bias=False)
    index, inner = 2, 64
    for outer, depth in zip((256, 512, 1024), DEPTHS[name], strict=True):
        for _ in range(depth):
            yield from bottleneck(f"{root}features.{index}", inner, outer, "paddle", add=add)
            index, inner = index + 1, outer


def paddleseg(name: str, *, add: bool = False) -> Tensors:
    yield from paddleseg_backbone(name, "cp.backbone.", add=add)
    for path, inner in (("cp.arm16", 512), ("cp.arm32", 1024)):
        yield from block(f"{path}.conv", inner, 128, 3, "paddle", bias=True)
        yield from {f"{path}.conv_atten.weight": (128, 128, 1, 1)}.items()
        yield f"{path}.conv_atten.bias", (128,)
        yield from bn(f"{path}.bn_atten", 128, "paddle")
    for path, inner, kernel in (
        ("conv_head32", 128, 3),
        ("conv_head16", 128, 3),
        ("conv_avg", 1024, 1),
    ):
        yield from block(f"cp.{path}", inner, 128, kernel, "paddle", bias=True)
    yield from block("ffm.convblk", 384, 256, 1, "paddle", bias=True)
    yield from {"ffm.conv1.weight": (64, 256, 1, 1), "ffm.conv1.bias": (64,)}.items()
    yield from {"ffm.conv2.weight": (256, 64, 1, 1), "ffm.conv2.bias": (256,)}.items()
    for head, inner, middle, outer in (
        ("conv_out", 256, 256, CLASSES),
        *(("conv_out8", 128, 64, CLASSES), ("conv_out16", 128, 64, CLASSES)),
        *(("conv_out_sp16", 512, 64, 1), ("conv_out_sp8", 256, 64, 1)),
        *(("conv_out_sp4", 64, 64, 1), ("conv_out_sp2", 32, 64, 1)),
    ):
        yield from block(f"{head}.conv", inner, middle, 3, "paddle", bias=True)
        yield f"{head}.conv_out.weight", (outer, middle, 1, 1)
        yield f"{head}.conv_out.bias", (outer,)


def mmseg_backbone(
    name: str, root: str = "", half: str = "downsample", *, add: bool = False
) -> Tensors:
    yield from block(f"{root}stages.0", 3, 32, 3, "torch", bias=False)
    yield from block(f"{root}stages.1", 32, 64, 3, "torch", bias=False)
    inner = 64
    for stage, (outer, depth) in enumerate(zip((256, 512, 1024), DEPTHS[name], strict=True), 2):
        for index in range(depth):
            yield from mmseg_bottleneck(
                f"{root}stages.{stage}.{index}", inner, outer, half, add=add
            )
            inner = outer


def mmseg(name: str, *, first: bool = False, add: bool = False) -> Tensors:
    """The public configuration; ``first`` as the network was before its release."""
    half = "avg_pool" if first else "downsample"
    yield from mmseg_backbone(name, "backbone.backbone.", half, add=add)
    conv, attention = ("conv", "conv_attn") if first else ("conv_layer", "atten_conv_layer.1")
    for index, inner in enumerate((512, 1024) if first else (1024, 512)):
        arm = f"backbone.arms.{index}"
        yield from block(f"{arm}.{conv}", inner, 128, 3, "torch", bias=False)
        yield from block(f"{arm}.{attention}", 128, 128, 1, "torch", bias=False)
        yield from block(f"backbone.convs.{index}", 128, 128, 3, "torch", bias=False)
    yield from block("backbone.conv_avg", 1024, 128, 1, "torch", bias=False)
    yield from block("backbone.ffm.conv0", 384, 256, 1, "torch", bias=False)
    gate = "backbone.ffm.conv" if first else "backbone.ffm.attention."
    yield f"{gate}1.conv.weight", (64, 256, 1, 1)
    yield f"{gate}2.conv.weight", (256, 64, 1, 1)
    for head, inner, middle, outer in (
        ("decode_head", 256, 256, CLASSES),
        *(("auxiliary_head.0", 128, 64, CLASSES), ("auxiliary_head.1", 128, 64, CLASSES)),
        ("auxiliary_head.2", 256, 64, 2),
    ):
        yield from block(f"{head}.convs.0", inner, middle, 3, "torch", bias=False)
        yield f"{head}.conv_seg.weight", (outer, middle, 1, 1)
        yield f"{head}.conv_seg.bias", (outer,)
    yield "auxiliary_head.2.laplacian_kernel", (1, 1, 3, 3)
    yield "auxiliary_head.2.fusion_kernel", (1, 3, 1, 1)


def values(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return what a trained tensor might hold; every tensor has a seed of its own."""
    random = generator(3, key)
    if key.endswith("num_batches_tracked"):
        return np.asarray(random.integers(1, 10_000))
    if key.endswith(("_variance", "running_var")):
        return random.uniform(0.5, 2.0, shape).astype(np.float32)
    scale = (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.3
    offset = 1.0 if len(shape) == 1 and key.endswith("weight") else 0.0
    return (offset + scale * random.standard_normal(shape)).astype(np.float32)


def published(tensors: Tensors, framework: str) -> Checkpoint:
    """Return a file of that framework, with these keys and shapes, in memory."""
    arrays = {key: array_tensor(values(key, shape)) for key, shape in tensors}
    form = "pdparams" if framework == "paddle" else "torch-zip"
    return Checkpoint(Path("published"), form, arrays)


def arrays_of(plan) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for entry in written_entries(plan):
        found.update(target_arrays(plan.checkpoint, entry))
    return found


def again(plan, framework: str) -> Checkpoint:
    """Return what a plan writes as a file of its own; metadata left out."""
    form = "pdparams" if framework == "paddle" else "torch-zip"
    arrays = {key: array_tensor(array) for key, array in arrays_of(plan).items()}
    return Checkpoint(Path("again"), form, arrays)


def equal(ours: dict[str, np.ndarray], theirs: Checkpoint) -> None:
    for key, array in ours.items():
        assert bits(array) == bits(theirs[key].load()), key


def authors(name: str, variant: str = "authors-bn") -> Checkpoint:
    with torch.device("meta"):
        network = torch_nets.build(f"{name}-seg", variant=variant, num_classes=CLASSES)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    return published(((k, v) for k, v in shapes.items() if not k.startswith(SECOND)), "torch")
