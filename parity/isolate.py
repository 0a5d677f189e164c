"""Each layer's own errors, beside the inherited ones: forced runs until nothing stays hidden."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from parity.assemble import map_bounds
from parity.blame import Blame, blame
from parity.error_map import MOST_MAPS
from parity.forced import forced_run
from parity.precision import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from parity.backends import FloatType
    from parity.record import CallKey
    from parity.result import LayerResult, ParityResult, TensorResult
    from parity.source import LiveRun, Source

ISOLATION = ("auto", "always", "never")
#: A parent that hands over wrong values hides what its child does with right ones: one more run
#: shows it. Deeper nesting of such faults than this stays 'inherited'.
ROUNDS = 4


def wanted(isolation: str, result: ParityResult) -> bool:
    """Tell whether own errors are to be measured: 'auto' means where some call is no match."""
    if isolation == "auto":
        layers = (layer for layer in result.layers if layer.phase == "forward")
        return any(layer.state is not State.MATCH for layer in layers)
    return isolation == "always"


def isolated(
    result: ParityResult,
    sources: Callable[[FloatType], tuple[Source, LiveRun]],
    rename: Mapping[str, str],
) -> ParityResult:
    """Add every call's own errors to a result.

    Args:
        result: What the plain runs found.
        sources: Makes fresh runs of both networks in a precision.
        rename: Torch path prefix to paddle path prefix.

    Raises:
        NetworkError: A network's forward raised.
    """
    found = _blamed(result, sources, rename)
    layers = tuple(
        replace(layer, own=found.own.get(key, ()), between=found.between.get(key))
        if layer.phase == "forward"
        else layer
        for layer in result.layers
        for key in [(layer.name, layer.call)]
    )
    layers = _with_fewer_maps(layers)
    known = {(layer.name, layer.call) for layer in layers}
    faults = tuple(key for key in found.faults if key in known)
    return replace(result, layers=layers, faults=faults)


def _with_fewer_maps(layers: tuple[LayerResult, ...]) -> tuple[LayerResult, ...]:
    # Maps of own errors come first: what is inherited shows the same fault again, smeared.
    left = MOST_MAPS - sum(tensor.where is not None for x in layers for tensor in x.own)

    def kept(tensor: TensorResult) -> TensorResult:
        nonlocal left
        left -= tensor.where is not None
        return tensor if left >= 0 else replace(tensor, where=None)

    return tuple(
        replace(x, tensors=tuple(map(kept, x.tensors)), inputs=tuple(map(kept, x.inputs)))
        for x in layers
    )


def _blamed(
    result: ParityResult,
    sources: Callable[[FloatType], tuple[Source, LiveRun]],
    rename: Mapping[str, str],
) -> Blame:
    freed: frozenset[CallKey] = frozenset()
    bounds = map_bounds(result.precisions, result.tol, result.tol64)
    for _ in range(ROUNDS):
        runs = {
            dtype: forced_run(
                *sources(dtype),
                rename=rename,
                exchange_given=freed,
                bound=bounds[dtype],
            )
            for dtype in result.precisions
        }
        found = blame(
            runs.get("float32", {}),
            runs.get("float64", {}),
            freed=freed,
            tol=result.tol,
            tol64=result.tol64,
        )
        if found.deceived <= freed:
            break
        freed |= found.deceived
    return found
