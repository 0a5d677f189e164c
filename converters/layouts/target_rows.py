"""The rules for the tensors of one layer that is at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from converters.layouts import join
from converters.layouts.network import Shape
from converters.rules import LayerRule, TensorRule, axis_of, direction_of, reparametrised


def known_rows(
    holder: Any, rule: LayerRule, shapes: Mapping[str, Shape], framework: str
) -> tuple[TensorRule, ...]:
    """Return the rows of the tensors that a layer of its kind has.

    Args:
        holder: the layer.
        rule: of its class.
        shapes: of its tensors, by name.
        framework: whose layer it is.
    """
    rows = tuple(
        row
        for general in rule.rows_for(shapes, framework)
        for row in reparametrised(general, shapes, framework)
    )
    return tuple(along(holder, row, rows, shapes, framework) for row in rows)


def along(
    holder: Any,
    row: TensorRule,
    rows: tuple[TensorRule, ...],
    shapes: Mapping[str, Shape],
    framework: str,
) -> TensorRule:
    """Return the row of a tensor's norms with the axis along which they run."""
    axis = axis_of(holder, row) if row.norms else None
    if axis is None:
        return row
    tensor = direction_of(row, rows)
    axis %= len(shapes[tensor.names(framework)[0]])
    turned = framework == "paddle" and tensor.transform == "transpose"
    return replace(row, axis=1 - axis if turned else axis)


def doubted(path: str, value: Any, row: TensorRule) -> TensorRule:
    """Return the row of a layer's own tensor, with a doubt where a transposed one would fit."""
    key = join(path, row.torch)
    shape = tuple(value.shape)
    if len(shape) != 2 or shape[0] != shape[1] or "float" not in str(value.dtype):
        return row
    doubt = (
        f"{key!r} {list(shape)} is copied as it is; what its layer does with it is unknown, "
        "and transposed it would fit too; say in --rules, under [[tensor]], whether it is of "
        "kind parameter or linear"
    )
    return replace(row, doubt=doubt)
