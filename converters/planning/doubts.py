"""What forbids a strict conversion although every tensor has its place and fits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from converters.layouts import Layer, Layout, Tie, join
from converters.planning.passage import Passage
from converters.planning.source import Source
from converters.rules import NORM_KINDS, TensorRule, direction_of, usual_axis


def blanked_row(source: Source, layer: Layer, row: TensorRule, name: str) -> Iterator[str]:
    """Name a row of an embedding that Paddle would return as zeros; reads the tensor."""
    place = layer.blank.get(row.torch)
    if place is not None and np.any(source.tensor(name).load()[place]):
        yield (
            f"{source.names[name]!r}: row {place} is not zero, and Paddle returns zeros "
            f"for it (padding_idx={place}); build the layer without padding_idx"
        )


def doubtful_axis(source: Source, layer: Layer, row: TensorRule) -> Iterator[str]:
    """Name norms that fit along several axes, of which the file does not tell one."""
    norms = layer.shapes.get(row.torch)
    if not row.norms or not norms or (source.framework == "torch" and len(norms) > 1):
        return
    usual = usual_axis(row, layer.kind, source.framework)
    axis = next((place for place, size in enumerate(norms) if size > 1), 0)
    axis = row.axis if row.axis is not None else axis if len(norms) > 1 else usual
    direction = layer.shapes[direction_of(row, layer.rows).torch]
    keys = layer.keys(row, source.framework)
    said = next((kind for key in keys if (kind := source.rules.tensor_kind(key))), None)
    if said in NORM_KINDS and NORM_KINDS.index(said) != axis:
        yield f"{keys[0]!r}: --rules says {said}, but in the target it is {NORM_KINDS[axis]}"
    elif said not in NORM_KINDS and axis != usual and direction[axis] == direction[usual]:
        yield (
            f"assumed: {keys[0]!r} runs along torch's axis {axis}, where {source.framework}'s own "
            f"default is {usual}, and {list(direction)} fits both; say in --rules, under "
            f"[[tensor]], whether it is of kind {NORM_KINDS[axis]} or {NORM_KINDS[usual]}"
        )


def uncounted_norms(source: Source, layout: Layout) -> Iterator[str]:
    """Yield the paths of norms that count no batches where others of a torch file do."""
    if source.framework == "paddle":
        return
    layers = [one for one in layout.layers if one.kind == "batch_norm" and not one.spare]
    # One that stands under a second name alone is judged by none of its own.
    norms = [one.path for one in layers if join(one.path, "running_var") in source.names]
    odd = [path for path in norms if join(path, "num_batches_tracked") not in source.names]
    if len(odd) < len(norms):
        yield from (path for path in odd if source.rules.kind_of(path) is None)


def doubtful_norms(source: Source, layout: Layout) -> Iterator[str]:
    """Name the norms that may be in-place ABN: no counter where others of the file have one.

    Where a network at hand says batch norm they are taken for frozen ones, with a hint.
    """
    for path in () if layout.at_hand else uncounted_norms(source, layout):
        yield (
            f"{path!r}: counts no batches while other BN layers do, which is how in-place "
            "ABN (scale |weight| + eps) looks; say in --rules whether it is of kind "
            "inplace_abn (its scale is folded) or batch_norm"
        )


def one_sided(tie: Tie, passage: Passage) -> str:
    """Say why a tensor that the target ties to another, laid out otherwise, is an assumption."""
    second, first = tie.layer.keys(tie.row, passage.to)[0], tie.owner.keys(tie.owned, passage.to)[0]
    return (
        f"assumed: {second!r} is one tensor with {first!r} in the target, and the source holds one "
        f"of them; tied in {passage.origin} it would be the other's transpose; say in --rules that "
        f"{tie.layer.path!r} is of kind {tie.layer.kind} if it is meant so"
    )
