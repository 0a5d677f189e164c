"""Every key's fate: from shapes alone, without reading a tensor."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from samples import array_tensor, changed, shapes_of, skeleton, trained

from converters import InputError, RefusedError, plan_conversion
from converters.checkpoint import Checkpoint
from converters.user_rules import UserRules
from stdc_port import paddle_nets

ARCHS = ("stdc1", "stdc1-seg", "stdc2-seg")


@pytest.fixture(scope="module", params=ARCHS)
def checkpoint(request) -> Checkpoint:
    return shapes_of(skeleton(request.param, num_classes=7))


@pytest.fixture(scope="module")
def seg() -> Checkpoint:
    return shapes_of(skeleton("stdc1-seg"))


def as_paddle(checkpoint: Checkpoint) -> Checkpoint:
    """Return what a conversion would write, as a checkpoint of shapes."""
    plan = plan_conversion(checkpoint)
    tensors = {
        entry.target: array_tensor(np.zeros(entry.shape, np.float32))
        for entry in plan.entries
        if entry.target
    }
    return Checkpoint(checkpoint.path, "memory", tensors)


def assert_complete(plan, sources) -> None:
    """Every source key and every target key stands in exactly one entry."""
    counted = Counter(entry.source for entry in plan.entries if entry.source)
    assert counted == Counter(list(sources))
    targets = Counter(entry.target for entry in plan.entries if entry.target)
    assert set(targets.values()) <= {1}
    assert sum(plan.counts.values()) == len(plan.entries)


def test_every_key_in_exactly_one_entry(checkpoint):
    plan = plan_conversion(checkpoint)
    assert_complete(plan, checkpoint)
    assert plan.problems == ()
    plan.require_complete()


def test_the_way_back_restores_every_key():
    checkpoint = shapes_of(skeleton("stdc1-seg", variant="authors-bn"))
    paddle = as_paddle(checkpoint)
    plan = plan_conversion(paddle, to="torch")
    assert_complete(plan, paddle)
    assert plan.problems == ()
    assert {entry.target for entry in plan.entries} == set(checkpoint)
    for entry in plan.entries:
        assert entry.shape == checkpoint[entry.target].shape, entry


def test_actions_and_reasons(seg):
    plan = plan_conversion(seg)
    assert plan.counts == {
        "copy": 131,
        "rename": 92,
        "transpose": 2,
        "fold": 15,
        "alias": 174,
        "drop": 31,
    }
    by_source = {entry.source: entry for entry in plan.entries}
    assert by_source["cp.backbone.fc.weight"].action == "transpose"
    assert "Linear" in by_source["cp.backbone.fc.weight"].reason
    assert by_source["conv_out.conv.bn.weight"].action == "fold"
    assert by_source["cp.backbone.bn.weight"].action == "copy"
    alias = by_source["cp.backbone.x16.0.4.conv_list.0.conv.weight"]
    assert (alias.action, alias.target) == ("alias", None)
    assert "'cp.backbone.features.4.conv_list.0.conv.weight' again" in alias.reason
    assert all(entry.reason for entry in plan.entries if entry.action not in ("copy", "rename"))
    # A 1×1 convolution has as many axes as its square Linear neighbour has not: never transposed.
    assert by_source["cp.arm16.conv_atten.weight"].action == "copy"


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module."]
)
def test_prefixes_of_wrappers_are_seen_through(checkpoint, prefix):
    prefixed = Checkpoint(
        checkpoint.path, "memory", {prefix + key: value for key, value in checkpoint.items()}
    )
    plan, plain = plan_conversion(prefixed), plan_conversion(checkpoint)
    assert plan.problems == ()
    assert_complete(plan, prefixed)
    assert {e.target for e in plan.entries} == {e.target for e in plain.entries}


def test_all_problems_are_listed_at_once(seg):
    wrong = array_tensor(np.zeros((2, 2), np.float32))
    plan = plan_conversion(
        changed(
            seg,
            drop={"ffm.conv1.weight", "cp.backbone.features.0.bn.running_mean"},
            put={"cp.backbone.fc.weight": wrong, "extra.weight": wrong},
        )
    )
    with pytest.raises(RefusedError) as caught:
        plan.require_complete()
    text = "\n".join(caught.value.problems)
    assert "missing: 'ffm.conv1.weight'" in text
    assert "missing: 'cp.backbone.features.0.bn.running_mean'" in text
    assert "'cp.backbone.fc.weight': shape [2, 2], expected [1024, 1024]" in text
    assert "unaccounted for: 'extra.weight' [2, 2]" in text
    # The alias of the lost statistic has nothing left that it could be the same as.
    assert "unaccounted for: 'cp.backbone.x2.0.0.bn.running_mean'" in text
    assert len(caught.value.problems) == 5
    assert all("\n" not in problem for problem in caught.value.problems)
    assert str(caught.value).count("\n") == 5


def test_every_single_missing_key_is_noticed(checkpoint):
    plan = plan_conversion(checkpoint)
    # Without its first convolution a file is no STDC at all; that is refused elsewhere.
    carried = [e.source for e in plan.entries if e.source and e.target]
    for key in (key for key in carried if not key.endswith("features.0.conv.weight")):
        problems = plan_conversion(changed(checkpoint, drop={key})).problems
        assert any(repr(key) in problem for problem in problems)


def test_an_alias_with_other_bits_is_a_problem():
    checkpoint = shapes_of(skeleton("stdc1"))
    first, second = "features.1.bn.weight", "x4.0.1.bn.weight"
    one = np.linspace(-1, 1, 64, dtype=np.float32)
    two = one.copy()
    same = {first: array_tensor(one), second: array_tensor(two)}
    plan = plan_conversion(changed(checkpoint, put=same))
    assert plan.problems == ()
    assert next(e for e in plan.entries if e.source == second).reason.endswith("equal bits")
    two[5] = np.nextafter(two[5], np.float32(2))
    plan = plan_conversion(changed(checkpoint, put=same))
    assert plan.problems == (f"{second!r} should be the same tensor as {first!r}, but differs",)


def test_negative_zero_is_not_zero_in_an_alias():
    checkpoint = shapes_of(skeleton("stdc1"))
    one = np.zeros(64, np.float32)
    put = {"features.1.bn.bias": array_tensor(one), "x4.0.1.bn.bias": array_tensor(-one)}
    assert len(plan_conversion(changed(checkpoint, put=put)).problems) == 1


def test_without_aliases_the_plan_is_complete(seg):
    alone = {key for key in seg if not key.startswith("cp.backbone.x")}
    plan = plan_conversion(changed(seg, drop=set(seg) - alone))
    assert plan.problems == ()
    assert "alias" not in plan.counts


COUNTER = "num_batches_tracked"


def counters(checkpoint: Checkpoint, *, heads: bool) -> set[str]:
    found = {key for key in checkpoint if key.endswith(COUNTER)}
    return {key for key in found if key.startswith("cp.backbone") is not heads}


def folds(checkpoint: Checkpoint) -> int:
    return plan_conversion(checkpoint).counts.get("fold", 0)


def test_only_heads_without_counters_beside_a_counted_backbone_are_folded():
    plain = shapes_of(skeleton("stdc1-seg", variant="authors-bn"))
    assert folds(plain) == 0
    heads, backbone = counters(plain, heads=True), counters(plain, heads=False)
    assert len(heads) == 15
    assert folds(changed(plain, drop=heads)) == 15
    assert folds(plain) == folds(changed(plain, drop=backbone)) == 0


def uncounted(**options: object) -> Checkpoint:
    """Return the authors' names without any count of batches, as torch 0.4.0 wrote them."""
    network = trained("stdc1-seg", num_classes=3, **options)
    tensors = {
        key: array_tensor(value.numpy())
        for key, value in network.state_dict().items()
        if not key.endswith(COUNTER)
    }
    return Checkpoint(Path("old.pth"), "memory", tensors)


def test_without_any_counter_neither_of_the_authors_variants_is_taken_silently():
    plan = plan_conversion(uncounted(variant="authors"))
    (problem,) = plan.problems
    assert problem.startswith("assumed: the batch norms outside the backbone are plain")
    assert "of their scales are negative, as only its often are" in problem
    with pytest.raises(RefusedError, match="--variant authors or --variant authors-bn"):
        plan.require_complete()
    source = uncounted(variant="authors")
    positive = {
        key: array_tensor(np.abs(tensor.load()))
        for key, tensor in source.items()
        if key.endswith("weight")
    }
    (problem,) = plan_conversion(changed(source, put=positive)).problems
    assert "negative" not in problem


@pytest.mark.parametrize(("variant", "folded"), [("authors", 15), ("authors-bn", 0)])
def test_the_user_or_the_file_itself_tells_what_counters_cannot(variant, folded):
    source = uncounted(variant=variant)
    said = replace(source, metadata={"variant": variant})
    heads = r"(?!cp\.backbone\.).*\.bn(_atten)?"
    kind = "inplace_abn" if variant == "authors" else "batch_norm"
    for plan in (
        plan_conversion(source, variant=variant),
        plan_conversion(said),
        plan_conversion(source, rules=UserRules.of(kinds={heads: kind})),
    ):
        assert plan.problems == ()
        assert plan.counts.get("fold", 0) == folded
    target = paddle_nets.build("stdc1-seg", num_classes=3)
    with pytest.raises(RefusedError, match="--variant authors"):
        plan_conversion(source, target=target).require_complete()
    assert plan_conversion(source, target=target, variant=variant).problems == ()


@pytest.mark.parametrize("wanted", ["authors", "paddleseg", "mmseg"])
def test_a_variant_that_the_keys_contradict_is_refused(wanted):
    plain = shapes_of(skeleton("stdc1-seg", variant="authors-bn"))
    with pytest.raises(InputError, match=rf"keys are those of variant authors-bn, not of {wanted}"):
        plan_conversion(plain, variant=wanted)
    with pytest.raises(InputError, match="unknown variant 'nobody': choose"):
        plan_conversion(plain, variant="nobody")


def test_some_heads_without_counters_are_an_assumption_and_refused():
    plain = shapes_of(skeleton("stdc1-seg", variant="authors-bn"))
    plan = plan_conversion(changed(plain, drop={f"conv_out.conv.bn.{COUNTER}"}))
    assert any("conv_out.conv.bn" in problem for problem in plan.problems)


def test_a_classifier_without_any_counters_is_complete():
    checkpoint = shapes_of(skeleton("stdc1"))
    plan = plan_conversion(changed(checkpoint, drop={k for k in checkpoint if k.endswith(COUNTER)}))
    assert plan.problems == ()
    assert "drop" not in plan.counts


def test_an_unknown_layout_is_refused(seg):
    with pytest.raises(InputError, match="unknown layout 'other'"):
        plan_conversion(seg, layout="other")


def test_a_paddle_file_given_as_torch_is_not_taken_for_one(seg):
    with pytest.raises((InputError, RefusedError)):
        plan_conversion(as_paddle(seg)).require_complete()


@pytest.mark.parametrize("shape", [(), (0, 1024), (1024,), (1, 1, 1)])
def test_a_classifier_of_absurd_shape_is_refused(shape):
    checkpoint = shapes_of(skeleton("stdc1"))
    odd = changed(checkpoint, put={"linear.weight": array_tensor(np.zeros(shape, np.float32))})
    with pytest.raises((InputError, RefusedError)) as caught:
        plan_conversion(odd).require_complete()
    assert "shape" in str(caught.value)
