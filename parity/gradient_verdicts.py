"""From the numbers of one or two precisions' backward passes to verdicts on every gradient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from parity.assemble import judged
from parity.compare import tensor_error
from parity.comparison import TensorComparison
from parity.layer_result import LayerResult
from parity.parameter_gradients import ZERO
from parity.precision import State, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parity.backends import FloatType
    from parity.compare import TensorError
    from parity.gradients import GradientErrors, GradientPlace
    from parity.parameter_gradients import ParameterErrors
    from parity.precision import Floor
    from parity.record import CallKey
    from parity.result import ParityResult
    from parity.runs import Slot


@dataclass(frozen=True)
class BackwardErrors:
    """One precision's backward pass: gradients of calls' outputs and inputs, and by parameters."""

    outputs: GradientErrors
    parameters: ParameterErrors


def with_gradients(
    result: ParityResult, runs: Mapping[FloatType, BackwardErrors], *, tol: float, tol64: float
) -> ParityResult:
    """Add the verdicts on all gradients to a result of the forward passes.

    Args:
        result: What the forward passes before them gave.
        runs: One backward pass a precision.
        tol: Bound of the float32 error.
        tol64: Bound of the float64 error.
    """
    judge_all = _Judge(runs, tol, tol64)
    forward = {(layer.name, layer.call): layer for layer in result.layers}
    notes = {note: None for run in runs.values() for note in run.parameters.notes}
    some = next(iter(runs.values())).parameters
    if some.frozen:
        notes[f"frozen in both, their gradients were not compared: {', '.join(some.frozen)}"] = None
    return replace(
        result,
        layers=(*result.layers, *judge_all.layers(forward)),
        gradients=(*judge_all.inputs(), *judge_all.parameters()),
        notes=(*result.notes, *notes),
    )


def with_own_gradients(
    result: ParityResult, runs: Mapping[FloatType, BackwardErrors], *, tol: float, tol64: float
) -> ParityResult:
    """Add the gradients' own errors to those that they inherit.

    Args:
        result: What the plain passes gave.
        runs: One pass a precision, each gradient exchanged for torch's once it was measured.
        tol: Bound of the float32 error.
        tol64: Bound of the float64 error.
    """
    judge_all = _Judge(runs, tol, tol64)
    forward = {(x.name, x.call): x for x in result.layers if x.phase == "forward"}
    calls = {(x.name, x.call): x.tensors for x in judge_all.layers(forward)}
    named = {x.name: x for x in (*judge_all.inputs(), *judge_all.parameters())}
    return replace(
        result,
        layers=tuple(
            replace(x, own=calls.get((x.name, x.call), ())) if x.phase == "backward" else x
            for x in result.layers
        ),
        gradients=tuple(_with_own(x, named.get(x.name)) for x in result.gradients),
    )


def _with_own(found: TensorComparison, own: TensorComparison | None) -> TensorComparison:
    if own is None:
        return found
    return replace(found, own_single=own.single, own_double=own.double, own_state=own.verdict.state)


@dataclass(frozen=True)
class _Judge:
    """Puts the precisions' numbers together."""

    runs: Mapping[FloatType, BackwardErrors]
    tol: float
    tol64: float

    def layers(self, forward: Mapping[CallKey, LayerResult]) -> list[LayerResult]:
        """Give one result for each call whose outputs have gradients."""
        single, double = self._by_call("float32"), self._by_call("float64")
        return [
            self._layer(forward[key], single.get(key, {}), double.get(key, {}))
            for key in (double or single)
            if key in forward
        ]

    def inputs(self) -> list[TensorComparison]:
        """Give the gradients by the network's inputs."""
        single, double = (
            {f"input {slot}": found for (key, slot), found in places.items() if key is None}
            for places in (self._places("float32"), self._places("float64"))
        )
        return [self._comparison(name, single, double, None) for name in double or single]

    def parameters(self) -> list[TensorComparison]:
        """Give the gradients by the parameters."""
        single, double = (
            self.runs[dtype].parameters.slots if dtype in self.runs else {}
            for dtype in ("float32", "float64")
        )
        first = self._first_calls()
        return [
            self._comparison(name, single, double, first.get(name.rpartition(".")[0]))
            for name in double or single
        ]

    def _first_calls(self) -> dict[str, CallKey]:
        run = next(iter(self.runs.values()))
        return {path: (path, call) for path, call in reversed(run.outputs.order)}

    def _places(self, dtype: FloatType) -> Mapping[GradientPlace, Slot]:
        return self.runs[dtype].outputs.places if dtype in self.runs else {}

    def _by_call(self, dtype: FloatType) -> dict[CallKey, dict[str, Slot]]:
        found: dict[CallKey, dict[str, Slot]] = {}
        for (key, slot), errors in self._places(dtype).items():
            if key is not None:
                found.setdefault(key, {})[slot] = errors
        return found

    def _layer(
        self, forward: LayerResult, single: dict[str, Slot], double: dict[str, Slot]
    ) -> LayerResult:
        key = forward.name, forward.call
        found = LayerResult(
            name=forward.name,
            kind=forward.kind,
            paddle_kind=forward.paddle_kind,
            call=forward.call,
            parent=forward.parent,
            tensors=judged(single, double, tol=self.tol, tol64=self.tol64),
            floors=self._floors(key),
            phase="backward",
        )
        return replace(found, note=self._evidence(found.state, found.error32, key))

    def _floors(self, key: CallKey) -> tuple[Floor, ...]:
        run = self.runs.get("float64")
        return run.outputs.floors.get(key, ()) if run else ()

    def _evidence(self, state: State, error32: float | None, key: CallKey | None) -> str:
        """Tell where a float32 difference comes from, if there is one."""
        run = self.runs.get("float32")
        if run is None or state is State.MATCH or error32 is None or error32 <= self.tol:
            return ""
        return run.outputs.kinks.after(key, run.outputs.order)

    def _comparison(
        self,
        name: str,
        single: Mapping[str, Slot],
        double: Mapping[str, Slot],
        key: CallKey | None,
    ) -> TensorComparison:
        in32, in64 = (side[name].error if name in side else None for side in (single, double))
        verdict = judge(in32, in64, tol=self.tol, tol64=self.tol64)
        shape = {**single, **double}[name].shape
        reasons = [
            verdict.reason,
            *(ZERO for run in self.runs.values() if name in run.parameters.zero),
            *self._own(name, verdict.state),
            self._evidence(verdict.state, in32.error if in32 else None, key),
        ]
        told = "; ".join(dict.fromkeys(filter(None, reasons)))
        return TensorComparison(name, "gradient", shape, in32, in64, Verdict(verdict.state, told))

    def _own(self, name: str, state: State) -> list[str]:
        """Tell how far each framework's float32 is from its own float64."""
        run = self.runs.get("float64")
        if state is not State.ROUNDING or run is None:
            return []
        known = run.parameters.own.get(name) or self._own_of_input(name.removeprefix("input "))
        if known is None:
            return []
        ours, theirs = (error.error for error in known)
        if ours is None or theirs is None:
            return []
        return [
            f"float32 is {ours:.1e} from float64 in torch itself, {theirs:.1e} in paddle itself"
        ]

    def _own_of_input(self, slot: str) -> tuple[TensorError, TensorError] | None:
        both = [self.runs[dtype].outputs.inputs.get(slot) for dtype in ("float64", "float32")]
        if both[0] is None or both[1] is None:
            return None
        ours, theirs = zip(*both, strict=True)
        return tensor_error(*ours), tensor_error(*theirs)
