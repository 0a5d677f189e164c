"""Weight norm and spectral norm, which replace a tensor of a layer by others.

torch spells both in two ways: the old one beside the tensor (``weight_g``), and as a
parametrization (``parametrizations.weight.original0``). Paddle has the old spelling alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from converters.rules.rows import TensorRule

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """One of the tensors that stand for another; ``{}`` is the other's name.

    Attributes:
        torch: its spellings in torch.
        paddle: its name in Paddle.
        transform: what happens to it; None for what happens to the tensor that it stands for.
        reason: why.
    """

    torch: tuple[str, ...]
    paddle: str
    transform: str | None
    reason: str = ""


WEIGHT_NORM = (
    Part(("{}_v", "parametrizations.{}.original1"), "{}_v", None),
    Part(
        ("{}_g", "parametrizations.{}.original0"),
        "{}_g",
        "flatten",
        "weight norm: torch keeps the norms with all axes, Paddle as a vector",
    ),
)
SPECTRAL_NORM = (
    Part(("{}_orig", "parametrizations.{}.original"), "{}_orig", None),
    Part(("{}_u", "parametrizations.{}.0._u"), "{}_u", "copy"),
    Part(("{}_v", "parametrizations.{}.0._v"), "{}_v", "copy"),
)


def reparametrised(row: TensorRule, names: Iterable[str], framework: str) -> tuple[TensorRule, ...]:
    """Return the rows that stand for a row in a layer with these names; mostly the row itself."""
    present = set(names)
    for parts in (SPECTRAL_NORM, WEIGHT_NORM):
        for spelling in range(len(parts[0].torch) if framework == "torch" else 1):
            found = [_part_row(row, part, spelling) for part in parts]
            if all(set(one.names(framework)) <= present for one in found):
                return tuple(found)
    return (row,)


def _part_row(row: TensorRule, part: Part, spelling: int) -> TensorRule:
    names = [name.format(row.torch) for name in part.torch]
    first = names.pop(spelling)
    paddle = part.paddle.format(row.paddle)
    transform = row.transform if part.transform is None else part.transform
    reason = row.reason if part.transform is None else part.reason
    return replace(
        row,
        torch=first,
        paddle=paddle,
        also=tuple(names),
        transform=transform,
        reason=reason,
        zero=False,
        size="weight_norm" if part.transform == "flatten" else row.size,
    )


def norms_shape(layer: Any, row: TensorRule, size: int, direction: Shape) -> Shape:
    """Return the shape that a Paddle layer's vector of norms would have beside its tensor.

    Args:
        layer: a Paddle layer with weight norm.
        row: the row of its norms.
        size: how many norms there are.
        direction: shape in Paddle of the tensor whose norms they are.

    Returns:
        Its shape in Paddle's order of axes, ones everywhere but along the axis of the norms.
    """
    name = str(row.paddle).removesuffix("_g")
    hooks = layer._forward_pre_hooks.values()  # noqa: SLF001
    axis = next((hook.dim for hook in hooks if getattr(hook, "name", None) == name), 0)
    return tuple(size if place == axis else 1 for place in range(len(direction)))
