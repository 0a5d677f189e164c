"""What forbids a strict conversion although every tensor has its place and fits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from converters.layouts import Layer, Layout, join
from converters.planning.source import Source
from converters.rules import WEIGHT_NORM, TensorRule, direction_of, norms_shape


def blanked_row(source: Source, layer: Layer, row: TensorRule, name: str) -> Iterator[str]:
    """Name a row of an embedding that Paddle would return as zeros; reads the tensor."""
    place = layer.blank.get(row.torch)
    if place is not None and np.any(source.tensor(name).load()[place]):
        yield (
            f"{source.names[name]!r}: row {place} is not zero, and Paddle returns zeros "
            f"for it (padding_idx={place}); build the layer without padding_idx"
        )


def doubtful_axis(source: Source, layer: Layer, row: TensorRule) -> Iterator[str]:
    """Name norms that fit along several axes: a Paddle file does not tell which one it was."""
    if source.framework == "torch" or row.size != WEIGHT_NORM:
        return
    tensor = direction_of(row, layer.rows)
    norms, direction = layer.shapes[row.torch], layer.shapes[tensor.torch]
    # On a Linear the defaults are opposite: torch's axis 0, and Paddle's, which is torch's 1.
    opposite = tensor.transform == "transpose" and norms == norms_shape(norms[:1], direction)
    if opposite and norms and len(set(direction)) == 1:
        yield (
            f"assumed: {layer.path!r}: its weight norm runs along torch's axis 0; Paddle's "
            "own default on a Linear is the other axis, and a square weight fits both"
        )


def doubtful_norms(source: Source, layout: Layout) -> Iterator[str]:
    """Name the norms that may be in-place ABN: no counter where others of the file have one."""
    if source.framework == "paddle":
        return
    layers = [one for one in layout.layers if one.kind == "batch_norm" and not one.spare]
    norms = [layer.path for layer in layers]
    odd = [path for path in norms if join(path, "num_batches_tracked") not in source.names]
    if len(odd) < len(norms):
        for path in (one for one in odd if source.rules.kind_of(one) is None):
            yield (
                f"{path!r}: counts no batches while other BN layers do, which is how in-place "
                "ABN (scale |weight| + eps) looks; say in --rules whether it is of kind "
                "inplace_abn (its scale is folded) or batch_norm"
            )
