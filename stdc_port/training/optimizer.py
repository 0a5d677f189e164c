"""The optimizer of a recipe, and the groups that its parameters are in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import paddle

from stdc_port.training.groups import Group, group, network_parameters, rules
from stdc_port.training.recipe import Recipe


@dataclass(frozen=True)
class Grouped:
    """An optimizer and what it trains.

    Attributes:
        optimizer: SGD with momentum; its rate is set before each step.
        groups: which parameter is trained how, the untrained ones too.
        trained: the trained parameters by path.
    """

    optimizer: Any
    groups: tuple[Group, ...]
    trained: dict[str, Any]


def build_optimizer(network: Any, loss: Any, recipe: Recipe) -> Grouped:
    """Put every parameter of a network and its loss into its group, and make the optimizer.

    Raises:
        ValueError: no rule names a parameter.
    """
    parameters = network_parameters(network, loss)
    facts = {path: fact for path, (_, fact) in parameters.items()}
    groups = group(facts, rules(recipe.optimizer))
    live = [row for row in groups if row.rule.factor > 0 and row.paths]
    optimizer = paddle.optimizer.Momentum(
        learning_rate=recipe.rate.base,
        momentum=recipe.optimizer.momentum,
        parameters=[
            {
                "params": [parameters[path][0] for path in row.paths],
                # In Paddle a group's learning rate is a factor on the optimizer's.
                "learning_rate": row.rule.factor,
                "weight_decay": recipe.optimizer.weight_decay if row.rule.decays else 0.0,
            }
            for row in live
        ],
    )
    trained = {path: parameters[path][0] for row in live for path in row.paths}
    return Grouped(optimizer, groups, trained)
