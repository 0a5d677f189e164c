"""From the numbers of one or two precisions to a result: every layer gets its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from parity.layer_result import LayerResult, TensorResult
from parity.precision import judge
from parity.result import ParityResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from parity.backends import FloatType
    from parity.runs import CallErrors, RunErrors, Slot
    from parity.weights import WeightDifference


def map_bounds(precisions: Sequence[FloatType], tol: float, tol64: float) -> dict[FloatType, float]:
    """Tell for each precision from which error on a tensor deserves an error map.

    Maps come from the run that decides: float32's would show its rounding as well.
    """
    alone = "float64" not in precisions
    bounds: dict[FloatType, float] = {"float32": tol if alone else np.inf, "float64": tol64}
    return bounds


def assemble(
    runs: Mapping[FloatType, RunErrors],
    *,
    tol: float,
    tol64: float,
    weights: tuple[WeightDifference, ...] = (),
    notes: tuple[str, ...] = (),
    versions: Mapping[str, str] | None = None,
    inputs: tuple[str, ...] = (),
) -> ParityResult:
    """Judge what was measured.

    Args:
        runs: One comparison a precision, at least one.
        tol: Bound of the float32 error.
        tol64: Bound of the float64 error.
        weights: Tensors that are not what the converter would have written.
        notes: What is worth knowing and no failure.
        versions: Of what took part, by name.
        inputs: What the networks were given.
    """
    some = next(iter(runs.values()))
    return ParityResult(
        layers=_layers(runs, tol, tol64),
        torch_only=some.torch_only,
        paddle_only=some.paddle_only,
        never_called=some.never_called,
        weights=weights,
        problems=_disagreements(runs),
        notes=(*notes, *_silent(runs)),
        tol=tol,
        tol64=tol64,
        precisions=tuple(runs),
        versions=versions or {},
        inputs=inputs,
    )


def _layers(
    runs: Mapping[FloatType, RunErrors], tol: float, tol64: float
) -> tuple[LayerResult, ...]:
    single, double = (runs[d].calls if d in runs else {} for d in ("float32", "float64"))
    return tuple(
        _layer(call, single.get(key), double.get(key), tol=tol, tol64=tol64)
        for key, call in (double or single).items()
        # There is nothing to say of a call without a result, but of the network's own.
        if call.outputs or not call.name
    )


def _silent(runs: Mapping[FloatType, RunErrors]) -> list[str]:
    calls = next(iter(runs.values())).calls.values()
    names = dict.fromkeys(call.name for call in calls if call.name and not call.outputs)
    return [f"returned no tensor in either network: {', '.join(names)}"] if names else []


def _layer(
    call: CallErrors,
    single: CallErrors | None,
    double: CallErrors | None,
    *,
    tol: float,
    tol64: float,
) -> LayerResult:
    outputs = [run.outputs if run else {} for run in (single, double)]
    inputs = [run.inputs if run else {} for run in (single, double)]
    return LayerResult(
        name=call.name,
        kind=call.kind,
        paddle_kind=call.paddle_kind,
        call=call.call,
        parent=call.parent,
        tensors=judged(*outputs, tol=tol, tol64=tol64),
        inputs=judged(*inputs, tol=tol, tol64=tol64),
        floors=call.floors,
    )


def judged(
    single: Mapping[str, Slot], double: Mapping[str, Slot], *, tol: float, tol64: float
) -> tuple[TensorResult, ...]:
    """Give the verdict on each slot of a call from what was measured in either precision."""
    results = []
    for slot, found in {**double, **single}.items():
        in32, in64 = (side[slot].error if slot in side else None for side in (single, double))
        verdict = judge(in32, in64, tol=tol, tol64=tol64)
        maps = [side[slot].where for side in (double, single) if slot in side]
        where = None if verdict.state.passes else next(filter(None, maps), None)
        results.append(TensorResult(slot, found.shape, in32, in64, verdict, where))
    return tuple(results)


def _disagreements(runs: Mapping[FloatType, RunErrors]) -> tuple[str, ...]:
    called = [set(found.calls) for found in runs.values()]
    odd = sorted(key for keys in called for other in called for key in keys - other)
    return tuple(f"{path!r} (call {call}) ran in one precision only" for path, call in odd)
