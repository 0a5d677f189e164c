"""Files as MMSegmentation writes them, both ways."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from mmseg_network import Backbone
from samples import array_tensor, changed
from stdc_files import (
    CLASSES,
    DEPTHS,
    again,
    arrays_of,
    authors,
    equal,
    mmseg,
    mmseg_backbone,
    published,
)
from stdc_runs import picture, relative, torch_outputs

from converters import RefusedError, plan_conversion
from converters.checkpoint import Checkpoint
from converters.diff import diff_checkpoints
from converters.state_dict import lazy
from stdc_port import paddle_nets, torch_nets

every_backbone = pytest.mark.parametrize("name", list(DEPTHS))


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


@pytest.mark.parametrize("add", [False, True])
def test_mmsegs_own_backbone_and_ours_give_the_same_maps(add):
    theirs = Backbone(DEPTHS["stdc1"], add=add)
    shapes = {key: tuple(value.shape) for key, value in theirs.state_dict().items()}
    assert shapes == dict(mmseg_backbone("stdc1", add=add))
    random = torch.Generator().manual_seed(1)
    for key, tensor in [*theirs.named_parameters(), *theirs.named_buffers()]:
        if key.endswith(("running_var", "bn.weight")):
            tensor.data.uniform_(0.5, 1.5, generator=random)
        elif key.endswith(("running_mean", "bias")):
            tensor.data.normal_(0, 0.3, generator=random)
    theirs.double().eval()
    tensors = {key: lazy(key, value) for key, value in theirs.state_dict().items()}
    plan = plan_conversion(
        Checkpoint(Path("theirs"), "torch-zip", tensors), to="torch", origin="torch"
    )
    plan.require_complete()
    ours = torch_nets.build("stdc1", block="add" if add else "cat").double().eval()
    state = {key: torch.from_numpy(np.array(one)) for key, one in arrays_of(plan).items()}
    assert ours.load_state_dict(state, strict=False).unexpected_keys == []
    with torch.no_grad():
        x = torch.from_numpy(picture())
        for one, two in zip(ours.features(x), theirs(x), strict=True):
            assert relative(one.numpy(), two.numpy()) < 1e-12


def test_another_second_name_than_the_first_is_noticed():
    file = published(mmseg_backbone("stdc1", add=True), "torch")
    with pytest.raises(RefusedError, match=r"'stages.2.0.downsample.* should be the same"):
        plan_conversion(file, to="paddle").require_complete()


def test_another_network_with_such_stages_keeps_its_names():
    tensors = {
        f"stages.{stage}.{block}.layers.{layer}.conv.weight": (8, 8, 3, 3)
        for stage in (2, 3, 4)
        for block in (0, 1)
        for layer in range(8)
    }
    plan = plan_conversion(published(tensors.items(), "torch"))
    assert plan.layout.arch == "generic"
    assert [one.target for one in plan.entries] == list(tensors)


def test_what_is_missing_is_named_as_the_file_would_spell_it():
    file = published(mmseg("stdc1"), "torch")
    lost = "backbone.arms.1.conv_layer.conv.weight"
    plan = plan_conversion(changed(file, drop={lost}), to="paddle")
    assert plan.problems == (f"missing: {lost!r}, needed for 'cp.arm16.conv.conv.weight'",)
