"""Files as PaddleSeg writes them, both ways."""

from dataclasses import replace

import pytest
import torch
from stdc_files import (
    CLASSES,
    DEPTHS,
    again,
    arrays_of,
    authors,
    equal,
    paddleseg,
    paddleseg_backbone,
    published,
)
from stdc_runs import relative, torch_outputs

from converters import RefusedError, detect, plan_conversion
from converters.checkpoint import Checkpoint
from converters.errors import InputError
from converters.layouts import names, recognise
from stdc_port import torch_nets

every_backbone = pytest.mark.parametrize("name", list(DEPTHS))


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
    monkeypatch.setattr(recognise, "PADDLESEG", replace(names.PADDLESEG, renames=kept))
    with pytest.raises(RefusedError, match="unaccounted for: 'conv_out8"):
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
