"""Every direction of STDC: network × layout × framework × content, there and back, bit by bit.

The networks are an eighth as wide as the published ones; keys and depths are theirs.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from samples import array_tensor, bits, skeleton
from stdc_files import CLASSES, arrays_of, mmseg, paddleseg, values

from converters import plan_conversion
from converters.checkpoint import Checkpoint
from converters.execution import metadata_of
from converters.plan import ConversionPlan
from stdc_port import paddle_nets, spec

Shapes = dict[str, tuple[int, ...]]
# Layout and framework that a file comes in; variants of this project's names are behind a colon.
ORIGINS = (
    *("native:authors torch", "native:authors-bn torch", "native:paddleseg torch"),
    *("native:mmseg torch", "native:mmseg-relu torch"),
    *("native:authors-bn paddle", "native:paddleseg paddle", "native:mmseg-relu paddle"),
    *("paddleseg paddle", "mmseg torch", "mmseg-first torch"),
)
TARGETS = (
    *("native torch", "native paddle", "authors torch", "authors paddle"),
    *("paddleseg paddle", "mmseg torch", "mmseg-first torch"),
)
CONTENTS = ("backbone", "classifier", "context", "full")
NETWORKS = (("stdc1", "cat"), ("stdc2", "cat"), ("stdc1", "add"))
UNUSED = r"(cp\.backbone\.)?(conv_last\..+|fc\..+|bn\..+|linear\..+)|(backbone\.)*final_conv\..+"
OWN = r"auxiliary_head\.2\.(conv_seg\..+|laplacian_kernel|fusion_kernel)"
# What a target has no place for, by its layout.
LEFT_OUT = {
    "native": OWN,
    "authors": rf"{OWN}|.+\.bias",
    "paddleseg": rf"{OWN}|{UNUSED}",
    "mmseg": rf"{OWN}|{UNUSED}|conv_out_sp\d+\..+|.+\.bias",
}
LEFT_OUT["mmseg-first"] = LEFT_OUT["mmseg"]


@pytest.fixture(scope="module", autouse=True)
def narrow() -> Iterator[None]:
    """Make the specification an eighth as wide, behind the frameworks' own networks."""
    for (arch, block), framework, variant in product(NETWORKS, BUILDERS, spec.VARIANTS):
        for name in (arch, f"{arch}-seg"):
            state_of(name, framework, variant, block)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STEM", "STAGE", "MAP"):
            widths = tuple(n // 8 for n in getattr(spec, f"{name}_CHANNELS"))
            patch.setattr(spec, f"{name}_CHANNELS", widths)
        for name in ("CONTEXT_CHANNELS", "FUSION_CHANNELS", "AUXILIARY_CHANNELS"):
            patch.setattr(spec, name, getattr(spec, name) // 8)
        patch.setattr(spec, "CLASSIFIER_WIDTH", spec.CLASSIFIER_WIDTH // 8)
        yield


def narrowed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n // 8 if n % 32 == 0 else n for n in shape)


def whole_network(layout: str, framework: str, arch: str, block: str) -> Shapes:
    """Return the keys and shapes of a whole network as a layout has them."""
    naming, _, variant = layout.partition(":")
    if naming == "paddleseg":
        found = dict(paddleseg(arch, add=block == "add"))
    elif naming.startswith("mmseg"):
        found = dict(mmseg(arch, first=naming == "mmseg-first", add=block == "add"))
    else:
        found = state_of(arch, framework, variant or "authors-bn", block)
    return {key: narrowed(shape) for key, shape in found.items()}


def built_in_paddle(arch: str, **options: object) -> Any:
    with paddle.LazyGuard():
        return paddle_nets.build(arch, **options)


BUILDERS = {"torch": skeleton, "paddle": built_in_paddle}


@cache
def state_of(arch: str, framework: str, variant: str, block: str) -> Shapes:
    options: dict[str, object] = {"variant": variant, "block": block}
    if arch.endswith("-seg"):
        options["num_classes"] = CLASSES
    network = BUILDERS[framework](arch, **options)
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def keys_of(layout: str, framework: str, arch: str, block: str, content: str) -> Shapes:
    """Return the keys and shapes of a file with that content."""
    own = layout.startswith(("native", "authors"))
    if content == "classifier":
        return whole_network(layout, framework, arch, block)
    root = "backbone.backbone." if layout.startswith("mmseg") else "cp.backbone."
    keys = whole_network(layout, framework, f"{arch}-seg" if own else arch, block)
    if content == "backbone":
        inner = {k.removeprefix(root): v for k, v in keys.items() if k.startswith(root)}
        return {key: shape for key, shape in inner.items() if not re.fullmatch(UNUSED, key)}
    if content == "context":
        inside = "backbone." if layout.startswith("mmseg") else ("cp.", "ffm.")
        return {key: shape for key, shape in keys.items() if key.startswith(inside)}
    return keys


def first_name(key: str, block: str) -> str:
    """Return the first name of a tensor for a second one."""
    key = re.sub(r"^((?:cp\.backbone\.)?)x\d+\.0\.(\d+)\.", r"\1features.\2.", key)
    if block == "add":
        key = re.sub(r"(stages\.\d\.0)\.(?:downsample|avg_pool)\.", r"\1.layers.0.1.", key)
    return key


@cache
def file_of(layout: str, framework: str, arch: str, block: str, content: str) -> Checkpoint:
    shapes = keys_of(layout, framework, arch, block, content)
    form = "pdparams" if framework == "paddle" else "torch-zip"
    arrays = {k: array_tensor(values(first_name(k, block), v)) for k, v in shapes.items()}
    return Checkpoint(Path("file"), form, arrays)


def all_arrays(plan: ConversionPlan) -> dict[str, np.ndarray]:
    """Return what a plan writes, second names included."""
    arrays = arrays_of(plan)
    seconds = [key for one in plan.entries if one.action == "alias" for key in one.targets]
    return arrays | {second: arrays[plan.second_names[second]] for second in seconds}


def directions() -> Iterator[object]:
    for arch, block in NETWORKS:
        for content in CONTENTS:
            for origin in ORIGINS:
                for target in TARGETS:
                    layout, framework = origin.split()
                    own = layout.startswith("native")
                    same = own and target == f"native {framework}"
                    if not same and (own or content != "classifier"):
                        name = f"{arch}-{block}-{content}: {origin} to {target}"
                        yield pytest.param(arch, block, content, origin, target, id=name)


@pytest.mark.parametrize(("arch", "block", "content", "origin", "target"), list(directions()))
def test_there_and_back(arch: str, block: str, content: str, origin: str, target: str) -> None:
    (layout, framework), (aim, to) = origin.split(), target.split()
    file = file_of(layout, framework, arch, block, content)
    options = {"allow_inexact": True}
    there = plan_conversion(file, to=to, origin=framework, layout=aim, **options)
    there.require_complete()
    assert there.layout.arch == (arch if content in ("backbone", "classifier") else f"{arch}-seg")
    arrays = all_arrays(there)
    assert_is_the_networks(arrays, there, aim, to, content, arch, block)
    written = Checkpoint(
        Path("written"),
        "pdparams" if to == "paddle" else "torch-zip",
        {key: array_tensor(array) for key, array in arrays.items()},
        metadata=metadata_of(there),
    )
    name = layout.partition(":")[0]
    back = plan_conversion(written, to=framework, origin=to, layout=name, **options)
    back.require_complete()
    returned = all_arrays(back)
    dropped = {one.source for one in there.entries if one.action == "drop"}
    for key, tensor in file.items():
        if key in dropped and re.fullmatch(LEFT_OUT[aim], key):
            continue
        if key in returned:
            wanted = tensor.load()
            if any(one.source == key and one.action == "fold" for one in there.entries):
                wanted = (np.abs(wanted.astype(np.float64)) + 1e-5).astype(np.float32)
            assert bits(returned[key]) == bits(wanted), key
        else:  # Paddle has no place for the counts of a file without a record of them
            assert key.endswith("num_batches_tracked"), key


def assert_is_the_networks(
    arrays: dict[str, np.ndarray],
    plan: ConversionPlan,
    aim: str,
    to: str,
    content: str,
    arch: str,
    block: str,
) -> None:
    """What is written are the target network's tensors of that content, by key and shape."""
    layout = f"native:{plan.layout.variant}" if aim in ("native", "authors") else aim
    if content == "classifier" and not layout.startswith("native"):
        content = "backbone"
    expected = keys_of(layout, to, arch, block, content)
    found = {key: array.shape for key, array in arrays.items()}
    if aim not in ("native", "authors"):
        found = {key: shape for key, shape in found.items() if not re.fullmatch(UNUSED, key)}
    left = {key for key in expected if key not in found}
    assert found == {key: shape for key, shape in expected.items() if key in found}
    allowed = OWN if content in {"full", "classifier"} else f"{OWN}|{UNUSED}"
    assert all(re.fullmatch(allowed, key) for key in left), left
