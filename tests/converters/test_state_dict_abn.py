"""In-place ABN in memory: folded where it is one, and never by mistake."""

import numpy as np
import paddle
import pytest
import torch
from samples import bits, trained
from zoo import holding

from converters import RefusedError, convert_state_dict
from converters.state_dict import plan_state_dict
from converters.user_rules import UserRules
from stdc_port import paddle_nets, torch_nets


def test_norms_that_may_be_inplace_abn_are_named_where_a_network_says_batch_norm():
    names = {"one": torch.nn.BatchNorm2d(3), "two": torch.nn.BatchNorm2d(3)}
    state = holding(**names).state_dict()
    target = holding(one=paddle.nn.BatchNorm2D(3), two=paddle.nn.BatchNorm2D(3))
    assert len(convert_state_dict(state, target)) == 8
    del state["two.num_batches_tracked"]
    (hint,) = plan_state_dict(state, target).hints
    assert "'two': no count of batches" in hint
    assert bits(convert_state_dict(state, target)["two.weight"]) == bits(state["two.weight"])


@pytest.mark.parametrize("variant", ["authors", "authors-bn"])
def test_inplace_abn_is_folded_in_memory_too(variant):
    state = trained("stdc1-seg", variant=variant, num_classes=3).state_dict()
    found = convert_state_dict(state, paddle_nets.build("stdc1-seg", num_classes=3))
    key = "ffm.convblk.bn.weight"
    weight = state[key].numpy()
    folded = (np.abs(weight.astype(np.float64)) + 1e-5).astype(np.float32)
    assert bits(found[key]) == bits(folded if variant == "authors" else weight)
    assert (weight < 0).any()
    assert (weight == 0).any()


@pytest.mark.parametrize(("variant", "folded"), [("authors", 0), ("authors-bn", 15)])
def test_within_torch_only_a_plain_network_gets_folded_scales(variant, folded):
    source = trained("stdc1-seg", variant="authors", num_classes=3).state_dict()
    target = torch_nets.build("stdc1-seg", variant=variant, num_classes=3)
    found = convert_state_dict(source, target)
    assert set(found) == set(target.state_dict())
    changed = {key for key, value in source.items() if bits(found[key]) != bits(value)}
    assert len(changed) == folded


def test_a_fold_has_no_way_back():
    state = paddle_nets.build("stdc1-seg").state_dict()
    plain = torch_nets.build("stdc1-seg", variant="authors-bn")
    assert set(convert_state_dict(state, plain)) == set(plain.state_dict())
    with pytest.raises(RefusedError, match=r"fold has no way back.*variant 'authors-bn'"):
        convert_state_dict(state, torch_nets.build("stdc1-seg"))


def test_a_norm_that_the_rules_call_in_place_abn_is_folded():
    weight = torch.tensor([-0.5, 0.0, 2.0])
    source = torch.nn.BatchNorm1d(3)
    with torch.no_grad():
        source.weight.copy_(weight)
    target = paddle.nn.Sequential(("abn", paddle.nn.BatchNorm1D(3)))
    state = {f"abn.{key}": value for key, value in source.state_dict().items()}
    del state["abn.num_batches_tracked"]
    rules = UserRules.of(kinds={"abn": "inplace_abn"})
    found = convert_state_dict(state, target, rules=rules)
    expected = (weight.double().abs() + 1e-5).float().numpy()
    np.testing.assert_array_equal(found["abn.weight"], expected)
    np.testing.assert_array_equal(convert_state_dict(state, target)["abn.weight"], weight.numpy())
