"""Which parameter is trained, at which rate, with or without decay: rules as data.

A parameter belongs to the first rule that names it; none falls through. Paddle's own ways are
avoided on purpose: its decay filters get names like `linear_1.w_0`, and a group's learning rate is
a factor, not a rate as in torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rich.table import Table

from stdc_port.training.recipe import OptimizerRecipe

Kind = Literal["weight", "norm", "bias"]
_ALL: tuple[Kind, ...] = ("weight", "norm", "bias")
_PLAIN: tuple[Kind, ...] = ("norm", "bias")


@dataclass(frozen=True)
class Rule:
    """One row: which parameters, and what becomes of them.

    Attributes:
        name: of the group.
        pattern: regular expression, matched at the start of a parameter's path.
        kinds: which kinds it takes.
        factor: multiplies the learning rate; 0 means not trained.
        decays: whether weight decay acts.
        reason: why it is not trained, else ''.
    """

    name: str
    pattern: str
    kinds: tuple[Kind, ...]
    factor: float
    decays: bool
    reason: str = ""


@dataclass(frozen=True)
class Group:
    """The parameters that one rule took.

    Attributes:
        rule: the rule.
        paths: of the parameters.
        scalars: numbers in them.
    """

    rule: Rule
    paths: tuple[str, ...]
    scalars: int


@dataclass(frozen=True)
class ParameterFacts:
    """What grouping needs to know of a parameter."""

    kind: Kind
    scalars: int


def rules(recipe: OptimizerRecipe) -> tuple[Rule, ...]:
    """The rules of a recipe, in the order in which they are asked."""
    head = r"(ffm|conv_out\w*)\."
    norms = 1.0 if recipe.train_backbone_norms else 0.0
    kernel = 1.0 if recipe.decay_fuse_kernel else 0.0
    return (
        *_frozen(recipe),
        Rule(
            "classifier",
            r"cp\.backbone\.(conv_last|fc|bn|linear)\.",
            _ALL,
            0,
            False,
            "the classifier's own head takes no part in segmentation",
        ),
        Rule(
            "unused heads",
            r"conv_out_sp(2|4|16)\.",
            _ALL,
            0,
            False,
            "no loss reaches these detail heads",
        ),
        Rule(
            "backbone norms",
            r"cp\.backbone\.features\.",
            _PLAIN,
            norms,
            False,
            "" if norms else "in no group of the authors; optimizer.train_backbone_norms",
        ),
        Rule("heads", head, ("weight",), recipe.head_factor, True),
        Rule("heads, norms", head, _PLAIN, recipe.head_factor, False),
        Rule(
            "fuse kernel",
            r"loss\.detail\.fuse_kernel",
            _ALL,
            kernel,
            True,
            "" if kernel else "has no gradient; optimizer.decay_fuse_kernel",
        ),
        Rule("trunk", r"cp\.", ("weight",), 1, True),
        Rule("trunk, norms", r"cp\.", _PLAIN, 1, False),
    )


def _frozen(recipe: OptimizerRecipe) -> tuple[Rule, ...]:
    """What a recipe keeps as it was loaded."""
    reason = f"optimizer.freeze is {recipe.freeze!r}"
    if recipe.freeze == "backbone":
        return (Rule("frozen", r"cp\.backbone\.features\.", _ALL, 0, False, reason),)
    if recipe.freeze == "norms":
        return (Rule("frozen", "", ("norm",), 0, False, reason),)
    return ()


def frozen_norms(network: Any, freeze: str) -> list[Any]:
    """The BN layers of a network whose statistics `optimizer.freeze` keeps."""
    prefix = {"none": None, "norms": "", "backbone": "cp.backbone.features."}[freeze]
    return [
        layer
        for path, layer in network.named_sublayers()
        if prefix is not None and path.startswith(prefix) and "Norm" in type(layer).__name__
    ]


def group(parameters: Mapping[str, ParameterFacts], rows: tuple[Rule, ...]) -> tuple[Group, ...]:
    """Give every parameter to the first rule that names it.

    Args:
        parameters: facts by path.
        rows: from `rules`.

    Raises:
        ValueError: no rule names a parameter; all such parameters are listed.
    """
    taken: dict[str, list[str]] = {rule.name: [] for rule in rows}
    orphans = []
    for path, facts in parameters.items():
        rule = next((r for r in rows if facts.kind in r.kinds and re.match(r.pattern, path)), None)
        if rule is None:
            orphans.append(f"{path} ({facts.kind})")
        else:
            taken[rule.name].append(path)
    if orphans:
        raise ValueError("parameters that no group holds: " + ", ".join(orphans))
    return tuple(
        Group(rule, tuple(paths), sum(parameters[path].scalars for path in paths))
        for rule in rows
        for paths in [taken[rule.name]]
    )


def network_parameters(network: Any, loss: Any) -> dict[str, tuple[Any, ParameterFacts]]:
    """Every parameter of a Paddle network and, under `loss.`, of its loss, with its facts."""
    found = {}
    for prefix, root in (("", network), ("loss.", loss)):
        for path, layer in root.named_sublayers(include_self=True):
            for name, parameter in layer.named_parameters(include_sublayers=False):
                if parameter.stop_gradient:
                    continue  # Paddle keeps BN's running statistics among the parameters
                full = prefix + (f"{path}.{name}" if path else name)
                kind = _kind(type(layer).__name__, name)
                found[full] = (parameter, ParameterFacts(kind, int(parameter.size)))
    return found


def group_table(groups: tuple[Group, ...]) -> Table:
    """The groups as a table, the untrained ones with their reason."""
    table = Table(title="Parameter groups", title_justify="left")
    for column in ("group", "tensors", "scalars", "rate", "decay", "remark"):
        table.add_column(column, justify="left" if column in ("group", "remark") else "right")
    for row in groups:
        trained = row.rule.factor > 0
        table.add_row(
            row.rule.name,
            str(len(row.paths)),
            f"{row.scalars:,}",
            f"×{row.rule.factor:g}" if trained else "not trained",
            ("yes" if row.rule.decays else "no") if trained else "–",
            row.rule.reason,
        )
    return table


def _kind(layer: str, parameter: str) -> Kind:
    if "Norm" in layer:
        return "norm"
    return "bias" if parameter == "bias" else "weight"
