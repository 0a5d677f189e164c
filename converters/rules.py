"""One row a layer kind: how its tensors are named and laid out in either framework.

Names are relative to the layer. A layout belongs to a layer kind, never to a number of axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from converters.errors import InputError


@dataclass(frozen=True)
class TensorRule:
    """One tensor of a layer.

    Attributes:
        torch: its name in torch.
        paddle: its name in Paddle; None if Paddle keeps no such tensor.
        transform: key into :data:`converters.transforms.TRANSFORMS`, torch to Paddle.
        optional: a layer may lack it.
        reason: why it is changed or left out.
    """

    torch: str
    paddle: str | None
    transform: str = "copy"
    optional: bool = False
    reason: str = ""


@dataclass(frozen=True)
class LayerRule:
    """All tensors of one kind of layer.

    Attributes:
        kind: the name used in layouts and messages.
        torch_classes: class names in ``torch.nn``.
        paddle_classes: class names in ``paddle.nn``.
        tensors: its tensors.
    """

    kind: str
    torch_classes: tuple[str, ...]
    paddle_classes: tuple[str, ...]
    tensors: tuple[TensorRule, ...]


def _dimensions(name: str, torch_suffix: str = "d") -> tuple[str, ...]:
    return tuple(f"{name}{n}{torch_suffix}" for n in (1, 2, 3))


_BIAS = TensorRule("bias", "bias", optional=True)
_PLAIN = (TensorRule("weight", "weight", optional=True), _BIAS)
_LINEAR_WHY = "Linear: torch keeps [out, in], Paddle [in, out]"
_COUNTER_WHY = "Paddle's BatchNorm does not count batches"
_STATISTICS = (
    TensorRule("running_mean", "_mean"),
    TensorRule("running_var", "_variance"),
)

# BatchNorm beside its numbers: torch's momentum m is Paddle's 1 − m, and torch's running variance
# is the unbiased one, n/(n−1) times Paddle's. Stored values carry over unchanged.
RULES = (
    LayerRule("conv", _dimensions("Conv"), _dimensions("Conv", "D"), _PLAIN),
    LayerRule(
        "conv_transpose", _dimensions("ConvTranspose"), _dimensions("Conv", "DTranspose"), _PLAIN
    ),
    LayerRule(
        "linear",
        ("Linear",),
        ("Linear",),
        (TensorRule("weight", "weight", "transpose", reason=_LINEAR_WHY), _BIAS),
    ),
    LayerRule(
        "batch_norm",
        (*_dimensions("BatchNorm"), "SyncBatchNorm"),
        (*_dimensions("BatchNorm", "D"), "SyncBatchNorm"),
        (
            *_PLAIN,
            *_STATISTICS,
            TensorRule("num_batches_tracked", None, optional=True, reason=_COUNTER_WHY),
        ),
    ),
    LayerRule(
        "inplace_abn",
        ("InPlaceABN", "InPlaceABNSync"),
        (),
        (
            TensorRule(
                "weight",
                "weight",
                "fold",
                reason="in-place ABN scales by |weight| + 1e-5; folded in float64, rounded once",
            ),
            TensorRule("bias", "bias"),
            *_STATISTICS,
        ),
    ),
    LayerRule("layer_norm", ("LayerNorm",), ("LayerNorm",), _PLAIN),
    LayerRule("group_norm", ("GroupNorm",), ("GroupNorm",), _PLAIN),
    LayerRule("embedding", ("Embedding",), ("Embedding",), (TensorRule("weight", "weight"),)),
)
BY_KIND = {rule.kind: rule for rule in RULES}
PARAMETER = LayerRule("parameter", (), (), ())


def rule_for_class(cls: type, framework: str) -> LayerRule | None:
    """Return the rule for a layer's class: its own, or that of the framework class it extends.

    Returns:
        None if the class, and all that it extends, is the user's own or a mere container.

    Raises:
        InputError: a class of the framework that holds tensors, and no rule is known for it.
    """
    for base in mro(cls, framework):
        for rule in RULES:
            names = rule.torch_classes if framework == "torch" else rule.paddle_classes
            if base in names:
                return rule
        if base in CONTAINERS:
            return None
        raise InputError(f"no conversion rule is known for {framework}'s layer {base}")
    return None


CONTAINERS = ("Module", "Layer", "Sequential", "ModuleList", "LayerList", "ModuleDict", "LayerDict")


def mro(cls: type, framework: str) -> Iterator[str]:
    """Yield the names of the framework's own classes that a class is or extends, nearest first."""
    for base in cls.__mro__:
        if base.__module__.startswith(f"{framework}.nn") or base.__name__.startswith("InPlaceABN"):
            yield base.__name__
