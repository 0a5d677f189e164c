"""The shapes that a layer's tensors have in torch, whichever framework's layer is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from converters.rules import TensorRule, direction_of, norms_shape
from converters.transforms import TRANSFORMS

Shape = tuple[int, ...]


def torch_shapes(
    rows: tuple[TensorRule, ...], own: Mapping[str, Shape], framework: str, holder: Any = None
) -> Iterator[tuple[str, Shape]]:
    """Yield the shape that each tensor of a layer has in torch, by torch's name.

    Args:
        rows: the layer's.
        own: its tensors' shapes by name; running statistics may stand under torch's names.
        framework: whose names and shapes they are.
        holder: the layer, where it is at hand.
    """
    for row in rows:
        name = next((name for name in (*row.names(framework), row.torch) if name in own), None)
        if name is None:
            if row.paddle is None and framework == "paddle" and not row.refused:
                yield row.torch, ()
        elif framework == "torch":
            yield row.torch, own[name]
        else:
            yield row.torch, of_paddle(row, rows, own, name, holder)


def made_shapes(rows: tuple[TensorRule, ...], own: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the shapes of biases that a torch layer has not, and Paddle's holds as zeros.

    Args:
        rows: the layer's.
        own: its tensors' shapes by torch's names.
    """
    beside = {row.torch: row.torch.replace("bias", "weight") for row in rows if row.made}
    missing = {bias: weight for bias, weight in beside.items() if bias not in own and weight in own}
    return {bias: own[weight][:1] for bias, weight in missing.items()}


def of_paddle(
    row: TensorRule,
    rows: tuple[TensorRule, ...],
    own: Mapping[str, Shape],
    name: str,
    holder: Any = None,
) -> Shape:
    """Return the shape that a tensor of a Paddle layer has in torch."""
    back = TRANSFORMS[row.transform].back
    if back is not None:
        return back(own[name])
    if not row.norms:
        return tuple(getattr(holder, row.size, own[name]))
    tensor = direction_of(row, rows)
    along = TRANSFORMS[tensor.transform].back
    direction = own[str(tensor.paddle)]
    return norms_shape(own[name], along(direction) if along else direction, row.axis)
