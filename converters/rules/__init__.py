"""Rules: one row a layer kind, how its tensors are named and laid out in either framework.

One file a family of kinds; what they have in common is in :mod:`converters.rules.rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from converters.errors import InputError
from converters.rules.attention import ATTENTION_RULES, PROJECTIONS
from converters.rules.plain import PLAIN_RULES
from converters.rules.recurrent import RECURRENT_RULES
from converters.rules.refused import REFUSED, REFUSED_PACKAGES, why_refused
from converters.rules.reparametrised import (
    NORM_KINDS,
    axis_of,
    direction_of,
    norms_shape,
    reparametrised,
    usual_axis,
)
from converters.rules.rows import LayerRule, Limit, Shapes, TensorRule

__all__ = [
    "ALONE",
    "BY_KIND",
    "NORM_KINDS",
    "PARAMETER",
    "PROJECTIONS",
    "REFUSED",
    "REFUSED_PACKAGES",
    "RULES",
    "LayerRule",
    "Limit",
    "Shapes",
    "TensorRule",
    "axis_of",
    "direction_of",
    "framework_classes",
    "is_frameworks",
    "norms_shape",
    "parameters",
    "reparametrised",
    "rule_for_class",
    "usual_axis",
]

PARAMETER = LayerRule("parameter", (), ())
RULES = (*PLAIN_RULES, *ATTENTION_RULES, *RECURRENT_RULES)
BY_KIND = {rule.kind: rule for rule in (*RULES, PARAMETER)}
# Classes of the frameworks that networks extend: what tensors they hold is their user's affair.
CONTAINERS = (
    *("Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"),
    *("Layer", "LayerList", "LayerDict", "RNN", "BiRNN"),
    *("DataParallel", "DistributedDataParallel"),
    *("Transformer", "TransformerEncoder", "TransformerDecoder", "TransformerEncoderLayer"),
)
# Their networks are built of layers as a user's are.
_NETWORKS = ("paddle.vision.models.", "torch.fx.")


def rule_for_class(cls: type, framework: str, *, holds: bool = True) -> LayerRule | None:
    """Return the rule for a layer's class: its own, or that of the framework class it extends.

    Args:
        cls: the class of a layer that has tensors, in itself or in its sublayers.
        framework: whose.
        holds: it has tensors of its own.

    Returns:
        None if the class, and all that it extends, is the user's own or a mere container.

    Raises:
        InputError: a class of the framework that cannot be carried over, or one that holds tensors
            and no rule is known for it.
    """
    classes = tuple(framework_classes(cls, framework))
    for name in classes:
        if why := why_refused(name, framework):
            raise InputError(f"{framework}'s layer {name}: {why}")
        for rule in RULES:
            if name in rule.classes(framework):
                return rule
    if holds and classes and classes[0] not in CONTAINERS:
        user = "" if is_frameworks(cls, framework) else f", which {cls.__name__} extends"
        raise InputError(f"no conversion rule is known for {framework}'s layer {classes[0]}{user}")
    return None


def framework_classes(cls: type, framework: str) -> Iterator[str]:
    """Yield the names of the framework's own classes that a class is or extends, nearest first.

    Those of ``torch.nn`` and ``paddle.nn`` have their bare names, those of ``paddle.compat`` (with
    torch's layouts) are called ``compat.Name``, others have their module in front.
    """
    for base in cls.__mro__:
        if is_frameworks(base, framework):
            yield _name_of(base, framework)


def is_frameworks(cls: type, framework: str) -> bool:
    """Return whether a class is a layer's that the framework brings, or in-place ABN."""
    where = f"{cls.__module__}."
    own = where.startswith(f"{framework}.") and not where.startswith(_NETWORKS)
    return own or cls.__name__.startswith("InPlaceABN")


def _name_of(cls: type, framework: str) -> str:
    package, _, module = f"{cls.__module__}.".partition(".")
    bare = module.startswith("nn.") and not module.startswith("nn.quant.")
    if bare or package != framework:
        return cls.__name__
    return f"compat.{cls.__name__}" if module.startswith("compat.nn.") else module + cls.__name__


def parameters(names: Iterable[str]) -> tuple[TensorRule, ...]:
    """Return rows for tensors that a user's own layer holds: copied as they are."""
    return tuple(ALONE[PARAMETER.kind](name) for name in names)


def _copied(name: str) -> TensorRule:
    return TensorRule(name, name, reason="parameter of a custom layer, copied as it is", own=True)


def _transposed(name: str) -> TensorRule:
    (weight,) = (row for row in BY_KIND["linear"].tensors if row.torch == "weight")
    return replace(weight, torch=name, paddle=name)


# What a tensor of a user's own layer may be, by the kind whose weight is laid out so.
ALONE: Mapping[str, Callable[[str], TensorRule]] = {
    PARAMETER.kind: _copied,
    "linear": _transposed,
}
