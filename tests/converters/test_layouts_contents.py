"""Files that hold a part of STDC, under whatever prefix: what they are taken for."""

import pytest
import torch
from samples import changed, shapes_of, skeleton
from stdc_files import authors, mmseg, mmseg_backbone, paddleseg, paddleseg_backbone, published

from converters import RefusedError, detect, inspect_checkpoint, plan_conversion
from converters.checkpoint import Checkpoint


def under(prefix: str, file: Checkpoint) -> Checkpoint:
    tensors = {prefix + key: value for key, value in file.items()}
    return Checkpoint(file.path, file.format, tensors)


def inside(prefix: str, file: Checkpoint, *, kept: bool = True) -> Checkpoint:
    """Return the part of a file under a prefix, with the prefix or without it."""
    tensors = {k if kept else k.removeprefix(prefix): v for k, v in file.items()}
    found = {
        new: value
        for (new, value), key in zip(tensors.items(), file, strict=True)
        if key.startswith(prefix)
    }
    return Checkpoint(file.path, file.format, found)


def targets(file: Checkpoint, **options: object) -> set[str]:
    """Return the keys that a conversion writes."""
    to = "torch" if file.framework == "paddle" else "paddle"
    plan = plan_conversion(file, to=to, **options)
    plan.require_complete()
    return {key for one in plan.entries if one.dtype for key in one.targets}


BACKBONES = {
    "authors": lambda: published(dict(shapes("features.")).items(), "torch"),
    "PaddleSeg": lambda: published(paddleseg_backbone("stdc1"), "paddle"),
    "MMSegmentation": lambda: published(mmseg_backbone("stdc1"), "torch"),
}


def shapes(start: str) -> list[tuple[str, tuple[int, ...]]]:
    state = skeleton("stdc1", num_classes=5).state_dict()
    return [(key, tuple(one.shape)) for key, one in state.items() if key.startswith(start)]


PREFIXES = (
    *("backbone.", "cp.backbone.", "backbone.backbone.", "net.cp.backbone."),
    *("module.", "model.", "student.model."),
)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("origin", BACKBONES)
def test_a_backbone_under_any_prefix_is_a_backbone(origin, prefix):
    plain = BACKBONES[origin]()
    file = under(prefix, plain)
    found = detect(file, origin=file.framework)
    assert (found.arch, found.content, found.num_classes) == ("stdc1", "backbone", None)
    assert targets(file) == targets(plain)
    assert "features.0.conv.weight" in targets(file)


CONTEXTS = {
    "authors": lambda kept: inside("cp.", authors("stdc1"), kept=kept),
    "PaddleSeg": lambda kept: inside("cp.", published(paddleseg("stdc1"), "paddle"), kept=kept),
    "MMSegmentation": lambda kept: inside(
        "backbone.", published(mmseg("stdc1"), "torch"), kept=kept
    ),
}


@pytest.mark.parametrize("prefix", ["", "module.", "model."])
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("origin", CONTEXTS)
def test_a_context_path_with_or_without_its_prefix(origin, kept, prefix):
    file = under(prefix, CONTEXTS[origin](kept))
    found = detect(file, origin=file.framework)
    assert (found.arch, found.content, found.num_classes) == ("stdc1-seg", "context path", None)
    written = targets(file)
    starts = {key.partition(".")[0] for key in written}
    assert starts == ({"cp", "ffm"} if origin == "MMSegmentation" else {"cp"})
    assert "cp.arm16.conv.conv.weight" in written
    assert "cp.backbone.features.0.conv.weight" in written


@pytest.mark.parametrize("prefix", ["model.", "student.model.", "module.net."])
def test_a_whole_network_under_a_training_scripts_prefix(prefix):
    plain = shapes_of(skeleton("stdc1-seg", num_classes=5))
    file = under(prefix, plain)
    plan = plan_conversion(file)
    assert plan.problems == ()
    assert (plan.layout.arch, plan.layout.variant, plan.layout.content) == (
        *("stdc1-seg", "authors"), "",
    )  # fmt: skip
    assert {one.target for one in plan.entries} == {
        one.target for one in plan_conversion(plain).entries
    }


def test_a_backbone_beside_layers_of_ones_own_keeps_its_place():
    """It is another network, told by its tensors, and none of them is lost."""
    file = under("backbone.", published(mmseg_backbone("stdc1"), "torch"))
    file = changed(file, put={"decode_head.conv.weight": file["backbone.stages.0.conv.weight"]})
    plan = plan_conversion(file)
    assert plan.layout.arch == "generic"
    assert plan.problems == ()
    assert {one.target for one in plan.entries if one.target} == {
        key.replace("running_mean", "_mean").replace("running_var", "_variance")
        for key in file
        if not key.endswith("num_batches_tracked")
    }


@pytest.mark.parametrize("lost", ["conv_out16", "ffm", "cp.arm16", "conv_out.conv_out"])
def test_half_a_network_is_refused(lost):
    file = authors("stdc1")
    gone = {key for key in file if key.startswith(f"{lost}.")}
    with pytest.raises(RefusedError, match=rf"missing: '{lost}"):
        plan_conversion(changed(file, drop=gone)).require_complete()


def test_half_a_classifier_is_refused():
    file = shapes_of(skeleton("stdc1"))
    with pytest.raises(RefusedError, match=r"missing: 'linear\.weight'"):
        plan_conversion(changed(file, drop={"linear.weight"})).require_complete()
    plan = plan_conversion(changed(file, drop={key for key in file if key.startswith("conv_last")}))
    with pytest.raises(RefusedError, match=r"missing: 'conv_last"):
        plan.require_complete()


def test_the_content_is_told(tmp_path):
    state = {key: torch.zeros(shape) for key, shape in shapes("features.")}
    torch.save(state, tmp_path / "a.pth")
    found = inspect_checkpoint(tmp_path / "a.pth")
    assert found.content == "backbone"
    assert "network   stdc1 authors, backbone alone, torch" in found.plain()
    assert "linear" not in found.kinds
