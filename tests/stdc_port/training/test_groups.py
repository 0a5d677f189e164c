"""Every parameter in exactly one group, and the group does what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import paddle
import pytest

from stdc_port.paddle_nets import build
from stdc_port.paddle_nets.losses import SegmentationLoss
from stdc_port.training.groups import ParameterFacts, group, network_parameters, rules
from stdc_port.training.recipe import OptimizerRecipe

AUTHORS = OptimizerRecipe()


@pytest.fixture(scope="module")
def facts() -> dict[str, ParameterFacts]:
    found = network_parameters(build("stdc1-seg"), SegmentationLoss())
    return {path: fact for path, (_, fact) in found.items()}


@pytest.mark.parametrize("norms", [True, False])
def test_each_parameter_is_in_exactly_one_group(
    facts: dict[str, ParameterFacts], norms: bool
) -> None:
    recipe = replace(AUTHORS, train_backbone_norms=norms)
    groups = group(facts, rules(recipe))
    paths = [path for row in groups for path in row.paths]
    assert sorted(paths) == sorted(facts)
    assert sum(row.scalars for row in groups) == sum(fact.scalars for fact in facts.values())
    untrained = [row for row in groups if row.rule.factor == 0 and row.paths]
    assert all(row.rule.reason for row in untrained)


def test_the_authors_never_train_62_norm_tensors(facts: dict[str, ParameterFacts]) -> None:
    """Those of the backbone's features, and the classifier's conv_last.bn and bn."""
    groups = group(facts, rules(AUTHORS))
    missed = [
        path
        for row in groups
        if row.rule.factor == 0
        for path in row.paths
        if path.startswith("cp.backbone.") and facts[path].kind == "norm"
    ]
    assert len(missed) == 62
    assert sum(facts[path].scalars for path in missed) == 13_248


def test_running_statistics_are_no_parameters(facts: dict[str, ParameterFacts]) -> None:
    assert not [path for path in facts if path.endswith(("_mean", "_variance"))]


def test_where_some_parameters_belong(facts: dict[str, ParameterFacts]) -> None:
    groups = group(facts, rules(AUTHORS))
    place = {path: row.rule for row in groups for path in row.paths}
    heads = place["ffm.conv1.weight"], place["conv_out16.conv_out.weight"]
    assert {(rule.factor, rule.decays) for rule in heads} == {(10.0, True)}
    assert not place["conv_out.conv.bn.weight"].decays
    assert place["cp.arm16.conv_atten.weight"].factor == 1
    assert place["cp.backbone.features.0.conv.weight"].decays
    assert place["loss.detail.fuse_kernel"].decays


def test_a_parameter_that_no_rule_names_is_told() -> None:
    with pytest.raises(ValueError, match=r"neck\.weight"):
        group({"neck.weight": ParameterFacts("weight", 3)}, rules(AUTHORS))


def test_paddle_takes_factor_and_decay_of_a_group() -> None:
    """One step of momentum SGD by hand: w − rate · factor · (g + decay · w)."""
    layers = [paddle.nn.Linear(3, 2, bias_attr=False) for _ in range(2)]
    before = [layer.weight.numpy().copy() for layer in layers]
    optimizer = paddle.optimizer.Momentum(
        learning_rate=0.5,
        momentum=0.9,
        parameters=[
            {"params": [layers[0].weight], "learning_rate": 10.0, "weight_decay": 0.01},
            {"params": [layers[1].weight], "learning_rate": 1.0, "weight_decay": 0.0},
        ],
    )
    optimizer.set_lr(0.1)
    sum(layer(paddle.ones([1, 3])).sum() for layer in layers).backward()
    optimizer.step()
    wanted = [before[0] - 0.1 * 10 * (1 + 0.01 * before[0]), before[1] - 0.1]
    for layer, weight in zip(layers, wanted, strict=True):
        np.testing.assert_allclose(layer.weight.numpy(), weight, rtol=1e-5, atol=1e-6)
