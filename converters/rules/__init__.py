"""Rules: one row a layer kind, how its tensors are named and laid out in either framework.

One file a family of kinds; what they have in common is in :mod:`converters.rules.rows`.
"""

from __future__ import annotations

from collections.abc import Iterator

from converters.errors import InputError
from converters.rules.attention import ATTENTION_RULES
from converters.rules.plain import PLAIN_RULES
from converters.rules.recurrent import RECURRENT_RULES
from converters.rules.refused import REFUSED
from converters.rules.reparametrised import norms_shape, reparametrised
from converters.rules.rows import LayerRule, Limit, Shapes, TensorRule

__all__ = [
    "BY_KIND",
    "PARAMETER",
    "REFUSED",
    "RULES",
    "LayerRule",
    "Limit",
    "Shapes",
    "TensorRule",
    "framework_classes",
    "norms_shape",
    "parameters",
    "reparametrised",
    "rule_for_class",
]

RULES = (*PLAIN_RULES, *ATTENTION_RULES, *RECURRENT_RULES)
BY_KIND = {rule.kind: rule for rule in RULES}
PARAMETER = LayerRule("parameter", (), ())
CONTAINERS = (
    *("Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"),
    *("Layer", "LayerList", "LayerDict", "RNN", "BiRNN"),
    *("DataParallel", "DistributedDataParallel"),
    *("Transformer", "TransformerEncoder", "TransformerDecoder", "TransformerEncoderLayer"),
)


def rule_for_class(cls: type, framework: str) -> LayerRule | None:
    """Return the rule for a layer's class: its own, or that of the framework class it extends.

    Returns:
        None if the class, and all that it extends, is the user's own or a mere container.

    Raises:
        InputError: a class of the framework that holds tensors, and no rule is known for it.
    """
    classes = tuple(framework_classes(cls, framework))
    for name in classes:
        if name in REFUSED[framework]:
            raise InputError(f"{framework}'s layer {name}: {REFUSED[framework][name]}")
        for rule in RULES:
            if name in (rule.torch_classes if framework == "torch" else rule.paddle_classes):
                return rule
        if name in CONTAINERS:
            return None
    if classes:
        raise InputError(f"no conversion rule is known for {framework}'s layer {classes[0]}")
    return None


def framework_classes(cls: type, framework: str) -> Iterator[str]:
    """Yield the names of the framework's own classes that a class is or extends, nearest first.

    Those of ``paddle.compat`` are called ``compat.Name``: they have torch's layouts.
    """
    for base in cls.__mro__:
        if base.__module__.startswith("paddle.compat.nn"):
            yield f"compat.{base.__name__}"
        elif base.__module__.startswith(f"{framework}.nn") or base.__name__.startswith(
            "InPlaceABN"
        ):
            yield base.__name__


def parameters(names: Iterator[str] | list[str]) -> tuple[TensorRule, ...]:
    """Return rows for tensors that a user's own layer holds: copied as they are."""
    why = "parameter of a custom layer, copied as it is"
    return tuple(TensorRule(name, name, reason=why) for name in names)
