"""Weight norm and spectral norm, which replace a tensor of a layer by others.

torch spells both in two ways: the old one beside the tensor (``weight_g``), and as a
parametrization (``parametrizations.weight.original0``). Paddle has the old spelling alone. In
training, the parametrization of spectral norm updates u before v, the old spelling and Paddle v
before u: they agree in evaluation, and in training once both vectors have settled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from converters.rules.rows import TensorRule

Shape = tuple[int, ...]
# What a user may say of norms where the file does not tell along which of torch's axes they run.
NORM_KINDS = tuple(f"norm_along_{axis}" for axis in range(5))


@dataclass(frozen=True)
class Part:
    """One of the tensors that stand for another; ``{}`` is the other's name.

    Attributes:
        torch: its spellings in torch.
        paddle: its name in Paddle.
        transform: what happens to it; None for what happens to the tensor that it stands for.
        reason: why.
        norms: Paddle's name of the part whose norms along an axis it holds, '' if it holds none.
    """

    torch: tuple[str, ...]
    paddle: str
    transform: str | None
    reason: str = ""
    norms: str = ""


WEIGHT_NORM_PARTS = (
    Part(("{}_v", "parametrizations.{}.original1"), "{}_v", None),
    Part(
        ("{}_g", "parametrizations.{}.original0"),
        "{}_g",
        "flatten",
        "weight norm: torch keeps the norms with all axes, Paddle as a vector",
        norms="{}_v",
    ),
)
SPECTRAL_NORM_PARTS = (
    Part(("{}_orig", "parametrizations.{}.original"), "{}_orig", None),
    Part(("{}_u", "parametrizations.{}.0._u"), "{}_u", "copy", norms="{}_orig"),
    Part(("{}_v", "parametrizations.{}.0._v"), "{}_v", "copy"),
)


def reparametrised(row: TensorRule, names: Iterable[str], framework: str) -> tuple[TensorRule, ...]:
    """Return the rows that stand for a row in a layer with these names; mostly the row itself."""
    present = set(names)
    found = (rows for needed, rows in _stand_ins(row, framework) if needed <= present)
    return next(found, (row,))


@lru_cache(maxsize=1024)
def _stand_ins(
    row: TensorRule, framework: str
) -> tuple[tuple[frozenset[str], tuple[TensorRule, ...]], ...]:
    """Return all rows that may stand for a row, each time with the names that they need."""
    choices = (
        tuple(_part_row(row, part, spelling) for part in parts)
        for parts in (SPECTRAL_NORM_PARTS, WEIGHT_NORM_PARTS)
        for spelling in range(len(parts[0].torch) if framework == "torch" else 1)
    )
    return tuple(
        (frozenset(name for one in rows for name in one.names(framework)), rows) for rows in choices
    )


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
        size="" if part.norms else row.size,
        norms=part.norms.format(row.paddle),
    )


def direction_of(norms: TensorRule, rows: Iterable[TensorRule]) -> TensorRule:
    """Return the row of the tensor whose norms a row holds."""
    return next(row for row in rows if row.paddle == norms.norms)


def norms_shape(size: Shape, direction: Shape, axis: int | None = None) -> Shape:
    """Return the shape that a vector of norms has beside the tensor that they are of.

    Args:
        size: of the vector; () for a single norm.
        direction: shape of the tensor.
        axis: along which the norms run; the first that fits if None.

    Returns:
        Ones everywhere but along that axis; () for a single norm.
    """
    if not size:
        return ()
    place = axis if axis is not None else direction.index(*size) if size[0] in direction else 0
    return tuple(size[0] if one == place else 1 for one in range(len(direction)))


def axis_of(layer: Any, norms: TensorRule) -> int | None:
    """Return along which axis of its tensor a layer's norms run, None if that is unknown.

    Args:
        layer: of either framework.
        norms: the row that holds them.
    """
    name = str(norms.paddle)[:-2]
    makers = list(layer._forward_pre_hooks.values())  # noqa: SLF001
    made = [maker for maker in makers if getattr(maker, "name", None) == name]
    if hasattr(layer, "parametrizations"):
        made += list(getattr(layer.parametrizations, name, ()))
    return next((maker.dim for maker in made if hasattr(maker, "dim")), None)


def usual_axis(norms: TensorRule, kind: str, framework: str) -> int:
    """Return torch's axis along which norms run where nobody chose another.

    Weight norm runs along the first axis, which on a Linear is torch's outputs and Paddle's inputs;
    spectral norm along the outputs in both.

    Args:
        norms: the row that holds them.
        kind: of the layer.
        framework: whose default.
    """
    if norms.norms.endswith("_orig"):
        return int(kind == "conv_transpose")
    return int(kind == "linear" and framework == "paddle")
