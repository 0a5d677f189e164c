"""Each layer's own errors, beside the inherited ones: forced runs until nothing stays hidden."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from parity.assemble import map_bounds
from parity.blame import Blame, blame
from parity.error_map import MOST_MAPS
from parity.forced import forced_run
from parity.precision import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from parity.backends import FloatType
    from parity.forced import ForcedCall
    from parity.layer_result import LayerResult, TensorResult
    from parity.record import CallKey
    from parity.result import ParityResult
    from parity.source import Source

ISOLATION = ("auto", "always", "never")
#: A parent that hands over wrong values hides what its child does with right ones: one more run
#: shows it. Deeper nesting of such faults than this stays 'inherited'.
ROUNDS = 4


@dataclass(frozen=True)
class Forced:
    """What forced runs gave.

    Attributes:
        runs: The calls of one run a precision.
        freed: Those that got torch's values for what they are given.
    """

    runs: Mapping[FloatType, Mapping[CallKey, ForcedCall]]
    freed: tuple[CallKey, ...] = ()

    def blame(self, *, tol: float, tol64: float) -> Blame:
        """Tell every call's own errors from those it inherited."""
        single, double = (self.runs.get(dtype, {}) for dtype in ("float32", "float64"))
        return blame(single, double, freed=frozenset(self.freed), tol=tol, tol64=tol64)


def wanted(isolation: str, result: ParityResult) -> bool:
    """Tell whether own errors are to be measured: 'auto' means where some call is no match."""
    if isolation == "auto":
        layers = (layer for layer in result.layers if layer.phase == "forward")
        return any(layer.state is not State.MATCH for layer in layers)
    return isolation == "always"


def isolated(
    result: ParityResult,
    sources: Callable[[FloatType], tuple[Source, Source]],
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
    forced = forced_until_settled(
        result.precisions, sources, rename, tol=result.tol, tol64=result.tol64
    )
    return with_own_errors(result, forced)


def with_own_errors(result: ParityResult, forced: Forced) -> ParityResult:
    """Add every call's own errors to a result, from runs that were made."""
    found = forced.blame(tol=result.tol, tol64=result.tol64)
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


def forced_until_settled(
    precisions: Sequence[FloatType],
    sources: Callable[[FloatType], tuple[Source, Source]],
    rename: Mapping[str, str],
    *,
    tol: float,
    tol64: float,
) -> Forced:
    """Make forced runs until no fault hides another.

    Args:
        precisions: Which are run.
        sources: Makes fresh runs of both networks in a precision.
        rename: Torch path prefix to paddle path prefix.
        tol: Bound of the float32 error.
        tol64: Bound of the float64 error.

    Raises:
        NetworkError: A network's forward raised.
    """
    freed: frozenset[CallKey] = frozenset()
    bounds = map_bounds(precisions, tol, tol64)
    for _ in range(ROUNDS):
        runs = {
            dtype: forced_run(
                *sources(dtype), rename=rename, exchange_given=freed, bound=bounds[dtype]
            )
            for dtype in precisions
        }
        found = Forced(runs, tuple(sorted(freed)))
        deceived = found.blame(tol=tol, tol64=tol64).deceived
        if deceived <= freed:
            break
        freed |= deceived
    return found
