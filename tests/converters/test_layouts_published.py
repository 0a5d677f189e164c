"""Files as PaddleSeg and MMSegmentation write them, both ways; their keys are written down here."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner
from samples import array_tensor, bits, generator

from converters import RefusedError, detect, plan_conversion
from converters.checkpoint import Checkpoint
from converters.cli import main
from converters.convert import convert_file
from converters.diff import diff_checkpoints
from converters.elements import target_arrays
from converters.errors import InputError
from converters.execution import written_entries
from converters.formats import read_checkpoint
from converters.layouts import names
from stdc_port import paddle_nets, spec, torch_nets

DEPTHS = {"stdc1": (2, 2, 2), "stdc2": (4, 5, 3)}
CLASSES = 5
SECOND = tuple(f"cp.backbone.x{stride}." for stride in (2, 4, 8, 16, 32))
Tensors = Iterator[tuple[str, tuple[int, ...]]]
every_backbone = pytest.mark.parametrize("name", list(DEPTHS))


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


def bottleneck(path: str, inner: int, outer: int, half: tuple[str, str, str], fw: str) -> Tensors:
    convs, first, second = half
    widths = [outer // 2, outer // 4, outer // 8, outer // 8]
    for index, (one, two) in enumerate(zip([inner, *widths], widths, strict=False)):
        kernel = 3 if index else 1
        yield from block(f"{path}.{convs}.{index}", one, two, kernel, fw, bias=False)
    if inner != outer:
        yield f"{path}.{first}.weight", (outer // 2, 1, 3, 3)
        yield from bn(f"{path}.{second}", outer // 2, fw)


def paddleseg_backbone(name: str, root: str = "") -> Tensors:
    yield from block(f"{root}features.0", 3, 32, 3, "paddle", bias=False)
    yield from block(f"{root}features.1", 32, 64, 3, "paddle", bias=False)
    index, inner, half = 2, 64, ("conv_list", "avd_layer.0", "avd_layer.1")
    for outer, depth in zip((256, 512, 1024), DEPTHS[name], strict=True):
        for _ in range(depth):
            yield from bottleneck(f"{root}features.{index}", inner, outer, half, "paddle")
            index, inner = index + 1, outer


def paddleseg(name: str) -> Tensors:
    yield from paddleseg_backbone(name, "cp.backbone.")
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


def mmseg_backbone(name: str, root: str = "", half: str = "downsample") -> Tensors:
    yield from block(f"{root}stages.0", 3, 32, 3, "torch", bias=False)
    yield from block(f"{root}stages.1", 32, 64, 3, "torch", bias=False)
    inner, halving = 64, ("layers", f"{half}.conv", f"{half}.bn")
    for stage, (outer, depth) in enumerate(zip((256, 512, 1024), DEPTHS[name], strict=True), 2):
        for index in range(depth):
            path = f"{root}stages.{stage}.{index}"
            yield from bottleneck(path, inner, outer, halving, "torch")
            inner = outer


def mmseg(name: str, *, first: bool = False) -> Tensors:
    """The public configuration; ``first`` as the network was before its release."""
    yield from mmseg_backbone(name, "backbone.backbone.", "avg_pool" if first else "downsample")
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


def torch_outputs(arrays: dict[str, np.ndarray], name: str, variant: str) -> list[np.ndarray]:
    """Return what the heads of the torch network give, in double precision."""
    network = torch_nets.build(f"{name}-seg", variant=variant, num_classes=CLASSES).double()
    state = {key: torch.from_numpy(np.asarray(array)) for key, array in arrays.items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert unexpected == []
    assert all(key.startswith(SECOND) for key in missing)
    network.eval()
    with torch.no_grad():
        return [one.numpy() for one in heads(network, torch.from_numpy(picture()))]


def heads(network, x) -> list:
    """Return what the four heads give before it is enlarged, in either framework."""
    maps, context8, context16 = network.cp(x)
    logits = network.conv_out(network.ffm(maps[2], context8))
    auxiliary = network.conv_out16(context8), network.conv_out32(context16)
    return [logits, *auxiliary, network.conv_out_sp8(maps[2])]


def picture() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((1, 3, 64, 96))


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@every_backbone
def test_paddleseg_is_told_and_nothing_is_left_over(name):
    file = published(paddleseg(name), "paddle")
    found = detect(file, origin="paddle")
    assert (found.arch, found.variant, found.num_classes) == (f"{name}-seg", "paddleseg", CLASSES)
    plan = plan_conversion(file, to="torch")
    plan.require_complete()
    plan.require_exact()
    assert "drop" not in plan.counts
    with torch.device("meta"):
        network = torch_nets.build(f"{name}-seg", variant="paddleseg", num_classes=CLASSES)
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert {key: one.shape for one in plan.entries for key in one.targets} == wanted
    made = [one for one in plan.entries if one.action == "missing" and one.dtype != "int64"]
    assert all("no output depends on it" in one.reason for one in made)


@pytest.mark.parametrize("variant", ["paddleseg", "mmseg", "mmseg-relu"])
def test_a_converted_file_computes_the_same_in_both_frameworks(variant):
    origin = "paddle" if variant == "paddleseg" else "torch"
    tensors = mmseg("stdc1", first=variant == "mmseg") if origin == "torch" else paddleseg("stdc1")
    file = published(tensors, origin)
    ours, theirs = (
        plan_conversion(file, to=to, origin=origin, allow_inexact=True)
        for to in ("paddle", "torch")
    )
    paddle.set_default_dtype("float64")
    try:
        network = paddle_nets.build("stdc1-seg", variant=variant, num_classes=CLASSES)
    finally:
        paddle.set_default_dtype("float32")
    arrays = arrays_of(ours).items()
    state = {key: paddle.to_tensor(array.astype(np.float64)) for key, array in arrays}
    assert network.set_state_dict(state) == ([], [])
    network.eval()
    with paddle.no_grad():
        found = [one.numpy() for one in heads(network, paddle.to_tensor(picture()))]
    expected = torch_outputs(arrays_of(theirs), "stdc1", variant)
    assert ours.layout.variant == theirs.layout.variant == variant
    assert len(found) == 4
    for one, two in zip(found[:3], expected[:3], strict=True):
        assert relative(one, two) < 1e-11
    if variant == "paddleseg":  # elsewhere the last detail layer begins anew
        assert relative(found[3], expected[3]) < 1e-11


@every_backbone
def test_paddleseg_through_native_and_back_is_bit_identical(name):
    file = published(paddleseg(name), "paddle")
    native = again(plan_conversion(file, to="torch"), "torch")
    back = plan_conversion(native, to="paddle", layout="paddleseg")
    back.require_complete()
    back.require_exact()
    returned = arrays_of(back)
    conv_last = {key for key in returned if key.startswith("cp.backbone.conv_last")}
    assert returned.keys() - conv_last == set(file)
    equal({key: returned[key] for key in file}, file)


def authors(name: str, variant: str = "authors-bn") -> Checkpoint:
    with torch.device("meta"):
        network = torch_nets.build(f"{name}-seg", variant=variant, num_classes=CLASSES)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    return published(((k, v) for k, v in shapes.items() if not k.startswith(SECOND)), "torch")


@every_backbone
def test_authors_through_paddleseg_and_back_is_bit_identical(name):
    file = authors(name)
    there = plan_conversion(file, to="paddle", layout="paddleseg", allow_inexact=True)
    there.require_complete()
    written = again(there, "paddle")
    expected = dict(paddleseg(name))
    held = {key for key in written if not key.startswith("cp.backbone.conv_last")}
    assert {key: written[key].shape for key in held} == expected
    back = plan_conversion(written, to="torch", layout="authors", allow_inexact=True)
    back.require_complete()
    both = {
        key: array
        for key, array in arrays_of(back).items()
        if not key.startswith(("cp.backbone.fc", "cp.backbone.bn", "cp.backbone.linear"))
        and not key.endswith("num_batches_tracked")
    }
    assert len(both) > 100
    equal(both, file)


def test_another_pool_is_refused_and_named():
    plan = plan_conversion(authors("stdc1"), to="paddle", layout="paddleseg")
    plan.require_complete()
    with pytest.raises(RefusedError, match="average pool divides by 9 at the border in authors-bn"):
        plan.require_exact()
    assert len(plan.inexact) == 1


def test_biases_that_are_not_zero_are_refused_and_named():
    file = published(paddleseg("stdc1"), "paddle")
    plan = plan_conversion(file, to="torch", layout="authors")
    with pytest.raises(RefusedError, match=r"'cp\.arm16.conv._conv.bias': .* it is not zero"):
        plan.require_exact()
    biases = [
        key
        for key in file
        if key.endswith(".bias") and file[key.replace(".bias", ".weight")].shape[1:]
    ]
    assert len(plan.inexact) == len(biases) + 1  # and the pool
    assert {one.source for one in plan.entries if one.action == "drop"} == set(biases)


def test_swapped_auxiliary_heads_are_caught(monkeypatch):
    """By the input feature: what conv_out8 reads is what the authors' conv_out16 reads."""
    file = published(paddleseg("stdc1"), "paddle")
    right = torch_outputs(arrays_of(plan_conversion(file, to="torch")), "stdc1", "paddleseg")
    head = {
        f"conv_out8.{key.partition('.')[2]}": key for key in file if key.startswith("conv_out16.")
    }
    swapped = Checkpoint(file.path, file.format, {k: file[head.get(k, k)] for k in file})
    found = torch_outputs(arrays_of(plan_conversion(swapped, to="torch")), "stdc1", "paddleseg")
    changed = [relative(a, b) > 1e-3 for a, b in zip(found, right, strict=True)]
    assert changed == [False, True, False, False]
    # The broken table: heads by name, as a copy would have them.
    kept = tuple(row for row in names.PADDLESEG.renames if not row[0].startswith("conv_out"))
    monkeypatch.setattr(names, "PADDLESEG", replace(names.PADDLESEG, renames=kept))
    with pytest.raises(RefusedError, match="unaccounted for: 'paddleseg:conv_out8"):
        plan_conversion(file, to="torch").require_complete()


@every_backbone
def test_paddlesegs_backbone_files(name):
    file = published(paddleseg_backbone(name), "paddle")
    plan = plan_conversion(file, to="torch")
    plan.require_complete()
    assert (plan.layout.arch, plan.layout.variant) == (name, "paddleseg")
    arrays = {key: one for key, one in arrays_of(plan).items() if "num_batches" not in key}
    equal(
        {
            key.replace("running_mean", "_mean").replace("running_var", "_variance"): one
            for key, one in arrays.items()
        },
        file,
    )
    left = {
        one.target.partition(".")[0]
        for one in plan.entries
        if one.action == "missing" and not one.dtype
    }
    assert left == {"conv_last", "fc", "bn", "linear"}


def test_paddles_second_names_count_from_zero():
    file = published(paddleseg("stdc1"), "paddle")
    twice = {
        f"cp.backbone.x16.0.0.{key.removeprefix('cp.backbone.features.4.')}": file[key]
        for key in file
        if key.startswith("cp.backbone.features.4.")
    }
    both = Checkpoint(file.path, file.format, {**file, **twice})
    plan = plan_conversion(both, to="torch")
    plan.require_complete()
    aliases = {one.source for one in plan.entries if one.action == "alias" and one.source}
    assert aliases == set(twice)


def test_names_of_another_frameworks_network_are_refused():
    with pytest.raises(InputError, match="--layout paddleseg is read by paddle; use --to paddle"):
        plan_conversion(published(paddleseg("stdc1"), "paddle"), to="torch", layout="paddleseg")


@pytest.mark.parametrize("first", [False, True])
@every_backbone
def test_mmseg_is_told_and_the_detail_head_is_said_to_begin_anew(name, first):
    file = published(mmseg(name, first=first), "torch")
    plan = plan_conversion(file, to="paddle")
    assert plan.problems == ()
    variant = "mmseg" if first else "mmseg-relu"
    assert (plan.layout.arch, plan.layout.variant) == (f"{name}-seg", variant)
    with pytest.raises(RefusedError, match=r"'conv_out_sp8.conv_out' .* two outputs"):
        plan.require_exact()
    with paddle.LazyGuard():
        network = paddle_nets.build(f"{name}-seg", variant=variant, num_classes=CLASSES)
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert {key: one.shape for one in plan.entries for key in one.targets} == wanted


@pytest.mark.parametrize("first", [False, True])
def test_mmseg_through_native_and_back_is_bit_identical(first):
    file = published(mmseg("stdc1", first=first), "torch")
    there = plan_conversion(file, to="torch", origin="torch", allow_inexact=True)
    name, variant = ("mmseg-first", "mmseg") if first else ("mmseg", "mmseg-relu")
    native = again(there, "torch")
    native = replace(native, metadata={"variant": variant})
    back = plan_conversion(native, to="torch", origin="torch", layout=name, allow_inexact=True)
    back.require_complete()
    returned = arrays_of(back)
    own = {key for key in file if key.startswith("auxiliary_head.2") and ".convs." not in key}
    assert returned.keys() == set(file) - own
    equal(returned, file)


@pytest.mark.parametrize(
    ("one", "two"), [("arms.0", "arms.1"), ("auxiliary_head.0", "auxiliary_head.1")]
)
def test_swapped_parts_of_mmseg_are_caught(one, two):
    file = published(mmseg("stdc1"), "torch")

    def other(key: str) -> str:
        return key.replace(one, two) if one in key else key.replace(two, one)

    swapped = Checkpoint(file.path, file.format, {key: file[other(key)] for key in file})
    plan = plan_conversion(swapped, to="torch", origin="torch", allow_inexact=True)
    if one.startswith("arms"):  # by the channels that they take in
        with pytest.raises(RefusedError, match="expected"):
            plan.require_complete()
        return
    right = plan_conversion(file, to="torch", origin="torch", allow_inexact=True)
    a, b = (torch_outputs(arrays_of(p), "stdc1", "mmseg-relu") for p in (plan, right))
    assert [relative(x, y) > 1e-3 for x, y in zip(a[:3], b[:3], strict=True)] == [False, True, True]


@every_backbone
def test_mmsegs_backbone_files(name):
    file = published(mmseg_backbone(name), "torch")
    plan = plan_conversion(file, to="paddle")
    plan.require_complete()
    assert (plan.layout.arch, plan.layout.variant) == (name, "mmseg-relu")
    back = plan_conversion(again(plan, "paddle"), to="torch", layout="mmseg", allow_inexact=True)
    back.require_complete()
    arrays = {key: one for key, one in arrays_of(back).items() if "num_batches" not in key}
    assert arrays.keys() == {key for key in file if "num_batches" not in key}
    equal(arrays, file)


def test_from_authors_to_mmseg_says_what_differs():
    plan = plan_conversion(authors("stdc1"), to="torch", origin="torch", layout="mmseg")
    plan.require_complete()
    assert len(plan.inexact) == 2
    with pytest.raises(RefusedError, match="align_corners in authors-bn, without in mmseg-relu"):
        plan.require_exact()
    first = plan_conversion(authors("stdc1"), to="torch", origin="torch", layout="mmseg-first")
    assert any("end in ReLU in authors-bn, not in mmseg" in line for line in first.inexact)


def test_inplace_abn_is_folded_within_torch_too():
    file = authors("stdc1", "authors")
    plan = plan_conversion(file, to="torch", origin="torch", layout="authors")
    plan.require_complete()
    plan.require_exact()
    arrays = arrays_of(plan)
    wanted = np.abs(file["ffm.convblk.bn.weight"].load().astype(np.float64)) + 1e-5
    assert bits(arrays["ffm.convblk.bn.weight"]) == bits(wanted.astype(np.float32))
    assert arrays["ffm.convblk.bn.num_batches_tracked"].dtype == np.int64


def test_the_command_refuses_converts_and_carries_the_variant(tmp_path):
    source, target = tmp_path / "stdc1.pth", tmp_path / "stdc1.pdparams"
    state = {key: torch.from_numpy(np.asarray(one.load())) for key, one in authors("stdc1").items()}
    torch.save(state, source)
    run = CliRunner().invoke
    refused = run(main, [str(source), "--layout", "paddleseg", "-q"])
    assert refused.exit_code == 1
    assert "--allow-inexact" in refused.output
    loose = run(main, [str(source), "--layout", "paddleseg", "-q", "--no-strict"])
    assert loose.exit_code == 1
    assert run(main, [str(source), "--layout", "paddleseg", "-q", "--dry-run"]).exit_code == 1
    assert not target.exists()
    report = tmp_path / "report.json"
    options = ["--layout", "paddleseg", "--allow-inexact", "-q", "--json", str(report)]
    assert run(main, [str(source), *options]).exit_code == 0
    said = json.loads(report.read_text())
    assert said["variant"] == "paddleseg"
    assert "average pool" in said["inexact"][0]
    written = read_checkpoint(target)
    assert written.metadata["variant"] == "paddleseg"
    back = convert_file(target, tmp_path / "back.pth", layout="authors", allow_inexact=True)
    assert back.verified
    returned = torch.load(tmp_path / "back.pth", weights_only=True)
    torch_nets.build("stdc1-seg", variant="authors-bn", num_classes=CLASSES).load_state_dict(
        returned
    )
    counts = [key for key in state if "num_batches" in key and ".backbone.bn." not in key]
    assert all(int(returned[key]) == int(state[key]) for key in counts)


def test_diff_pairs_the_names_of_two_implementations():
    file = published(mmseg_backbone("stdc1"), "torch")
    native = again(plan_conversion(file, to="torch", origin="torch"), "torch")
    paddles = again(plan_conversion(file, to="paddle"), "paddle")
    for other in (native, paddles):
        found = diff_checkpoints(file, other)
        assert {row.state for row in found.tensors} <= {"equal", "set aside"}
        assert sum(row.state == "equal" for row in found.tensors) >= 180 - 36
    broken = {**native, "features.3.conv_list.0.bn.bias": array_tensor(np.zeros(128, np.float32))}
    found = diff_checkpoints(file, Checkpoint(native.path, native.format, broken))
    assert [row.a for row in found.tensors if row.state != "equal"] == [
        "stages.2.1.layers.0.bn.bias"
    ]


def test_stages_of_another_network_are_not_taken_for_stdc():
    blocks = [("stages.2", 9), ("stages.3", 3)]
    tensors = (
        (f"backbone.{stage}.{block}.depthwise_conv.weight", (8, 1, 7, 7))
        for stage, depth in blocks
        for block in range(depth)
    )
    assert plan_conversion(published(tensors, "torch")).layout.arch == "generic"


def test_a_target_network_has_its_own_names():
    network = torch_nets.build("stdc1", num_classes=2)
    with pytest.raises(InputError, match="a target network has its own names"):
        plan_conversion(authors("stdc1"), to="torch", target=network, layout="mmseg")


def test_a_file_of_the_target_framework_is_refused_in_one_line(tmp_path):
    torch.save({"fc.weight": torch.ones(2, 2)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="is torch's already; --layout gives it other names"):
        convert_file(tmp_path / "a.pth", tmp_path / "b.pth", to="torch")


def test_every_table_is_one_to_one():
    for name, backbone in spec.BACKBONES.items():
        with torch.device("meta"):
            network = torch_nets.build(f"{name}-seg", variant="paddleseg")
        layers = {key.rpartition(".")[0] for key in network.state_dict()}
        for naming in names.NAMINGS.values():
            theirs = [naming.path(one, backbone) for one in layers if not naming.why_absent(one)]
            assert len(set(theirs)) == len(theirs)
