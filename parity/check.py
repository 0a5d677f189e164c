"""`check_parity`: run both networks on the same inputs and give every layer its verdict.

For each precision both networks are copied and cast, torch's run is recorded, and paddle's run is
compared as it goes; each torch record is released once its partner has come. The caller's networks
are only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from parity import weights as crossing
from parity.backends import FloatType, backend_of
from parity.compare import TensorError, tensor_error
from parity.pair import Pairing, Unpaired
from parity.precision import TOLERANCE, TOLERANCE_FLOAT64, judge
from parity.record import CallKey, Record, Value, record, run
from parity.result import LayerResult, ParityResult, TensorResult
from parity.weights import WeightDifference, differences, load, paddle_arrays, read_file

if TYPE_CHECKING:
    import os

    from parity.precision import Floor

CHECKS = ("forward",)
PRECISIONS: dict[str, tuple[FloatType, ...]] = {
    "float32": ("float32",),
    "float64": ("float64",),
    "both": ("float32", "float64"),
}


@dataclass(frozen=True)
class _Slot:
    shape: tuple[int, ...]
    error: TensorError


@dataclass(frozen=True)
class _Call:
    name: str
    call: int
    kind: str
    paddle_kind: str
    parent: CallKey | None
    outputs: dict[str, _Slot]
    inputs: dict[str, _Slot]
    floors: tuple[Floor, ...] = ()


@dataclass(frozen=True)
class _Run:
    """One precision's comparison; calls in torch's order."""

    calls: dict[CallKey, _Call]
    torch_only: tuple[Unpaired, ...]
    paddle_only: tuple[Unpaired, ...]
    never_called: tuple[str, ...]


@dataclass
class _Comparer:
    """Consumes paddle's records and keeps numbers only."""

    pairing: Pairing
    calls: dict[CallKey, _Call] = field(default_factory=dict)

    def __call__(self, theirs: Record) -> None:
        ours = self.pairing.partner(theirs)
        if ours is not None:
            self.calls[ours.key] = _Call(
                name=ours.path,
                call=ours.call,
                kind=ours.kind,
                paddle_kind=theirs.kind,
                parent=ours.parent,
                outputs=_compare(ours.outputs, theirs.outputs),
                inputs=_compare_common(ours.inputs, theirs.inputs),
            )


def check_parity(
    torch_module: Any,
    paddle_layer: Any,
    inputs: Any,
    *,
    tol: float = TOLERANCE,
    checks: Sequence[str] = CHECKS,
    precision: Literal["float32", "float64", "both"] = "both",
    rename: Mapping[str, str] | None = None,
    transfer: bool = True,
    converted: str | os.PathLike[str] | None = None,
    tol64: float = TOLERANCE_FLOAT64,
) -> ParityResult:
    """Check that a paddle network computes what a torch network computes, layer by layer.

    Args:
        torch_module: The network that is right by definition.
        paddle_layer: The network that is to agree with it.
        inputs: One array or tensor, or a tuple or list of them: the positional arguments.
        tol: Bound of the float32 error, relative to the layer's largest value.
        checks: What to check; only 'forward' exists.
        precision: 'both' separates rounding from meaning; 'float32' alone cannot.
        rename: Torch path prefix to paddle path prefix, where the two name a layer differently.
        transfer: Run paddle's network with torch's weights, carried over by the
            converter. False takes its own weights as they stand, and lists which of them are not
            what the converter would have written: the way to test somebody's own conversion.
        converted: A converted file to run paddle's network with, and to compare bit for bit
            with the conversion.
        tol64: Bound of the float64 error.

    Returns:
        A result that is true only when everything passed and something was compared.

    Raises:
        ValueError: An unknown check or precision, or weights that do not fit.
        NetworkError: A network's forward raised.
    """
    _refuse_unknown(checks, precision)
    arrays = as_arrays(inputs)
    names = dict(rename or {})
    weights = _Weights(torch_module, paddle_layer, names, transfer, converted)
    runs = {
        dtype: _run(torch_module, paddle_layer, arrays, dtype, names, weights)
        for dtype in PRECISIONS[precision]
    }
    some = next(iter(runs.values()))
    return ParityResult(
        layers=_layers(runs, tol, tol64),
        torch_only=some.torch_only,
        paddle_only=some.paddle_only,
        never_called=some.never_called,
        weights=weights.differences(),
        problems=_disagreements(runs),
        tol=tol,
        tol64=tol64,
        precisions=PRECISIONS[precision],
    )


def as_arrays(inputs: Any) -> tuple[np.ndarray, ...]:
    """Turn arrays and tensors of either framework into a tuple of numpy arrays."""
    values = inputs if isinstance(inputs, tuple | list) else (inputs,)
    return tuple(_as_array(value) for value in values)


def _as_array(value: Any) -> np.ndarray:
    plain = value.detach() if hasattr(value, "detach") else value
    return np.asarray(plain.cpu().numpy() if hasattr(plain, "cpu") else plain)


def _refuse_unknown(checks: Sequence[str], precision: str) -> None:
    unknown = [check for check in checks if check not in CHECKS]
    if unknown or not checks:
        raise ValueError(f"checks {list(checks)}: only {', '.join(CHECKS)} exist")
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")


@dataclass(frozen=True)
class _Weights:
    """Decides whose weights the paddle copy runs with."""

    torch_module: Any
    paddle_layer: Any
    rename: Mapping[str, str]
    carried: bool
    converted: str | os.PathLike[str] | None

    def put(self, torch_copy: Any, paddle_copy: Any) -> None:
        """Give the paddle copy its weights, in its own precision."""
        if self.carried:
            load(paddle_copy, crossing.transfer(torch_copy, paddle_copy, self.rename))

    def differences(self) -> tuple[WeightDifference, ...]:
        """Compare the caller's own weights, or the converted file, with the conversion."""
        if self.carried and self.converted is None:
            return ()
        expected = crossing.transfer(self.torch_module, self.paddle_layer, self.rename)
        if self.converted is not None:
            return differences(expected, read_file(self.converted))
        return differences(expected, paddle_arrays(self.paddle_layer))


def _run(
    torch_module: Any,
    paddle_layer: Any,
    inputs: tuple[np.ndarray, ...],
    dtype: FloatType,
    rename: Mapping[str, str],
    weights: _Weights,
) -> _Run:
    torch_copy = backend_of(torch_module).copy_as(torch_module, dtype)
    paddle_copy = backend_of(paddle_layer).copy_as(paddle_layer, dtype)
    weights.put(torch_copy, paddle_copy)
    trace = record(torch_copy, inputs, dtype)
    order = [entry.key for entry in trace.records]
    never_called = trace.never_called
    comparer = _Comparer(Pairing.of(trace.records, rename))
    # From here on only the pairing holds the records, and it lets go of each in turn.
    del trace
    run(paddle_copy, inputs, comparer, dtype)
    calls = {key: comparer.calls[key] for key in order if key in comparer.calls}
    pairing = comparer.pairing
    return _Run(calls, pairing.left_over(), tuple(pairing.strangers), never_called)


def _compare(ours: tuple[Value, ...], theirs: tuple[Value, ...]) -> dict[str, _Slot]:
    if len(ours) == len(theirs) == 1:
        return {ours[0].slot: _slot(ours[0], theirs[0])}
    found = {value.slot: value for value in theirs}
    slots = {value.slot: _slot(value, found.pop(value.slot, None)) for value in ours}
    extra = {slot: TensorError(None, 0.0, fault="only paddle returns it") for slot in found}
    return slots | {slot: _Slot((), error) for slot, error in extra.items()}


def _compare_common(ours: tuple[Value, ...], theirs: tuple[Value, ...]) -> dict[str, _Slot]:
    common = {value.slot for value in ours} & {value.slot for value in theirs}
    return _compare(
        tuple(value for value in ours if value.slot in common),
        tuple(value for value in theirs if value.slot in common),
    )


def _slot(ours: Value, theirs: Value | None) -> _Slot:
    if theirs is None:
        error = TensorError(None, 0.0, fault="only torch returns it")
    else:
        error = tensor_error(ours.array, theirs.array)
    return _Slot(ours.array.shape, error)


def _layers(runs: Mapping[FloatType, _Run], tol: float, tol64: float) -> tuple[LayerResult, ...]:
    single, double = (runs[d].calls if d in runs else {} for d in ("float32", "float64"))
    keys = list(single or double)
    return tuple(_layer(single.get(key), double.get(key), tol, tol64) for key in keys)


def _layer(single: _Call | None, double: _Call | None, tol: float, tol64: float) -> LayerResult:
    call = double or single
    if call is None:
        raise KeyError("a layer that no run knows")
    return LayerResult(
        name=call.name,
        kind=call.kind,
        paddle_kind=call.paddle_kind,
        call=call.call,
        parent=call.parent,
        tensors=_tensors(single and single.outputs, double and double.outputs, tol, tol64),
        inputs=_tensors(single and single.inputs, double and double.inputs, tol, tol64),
        floors=call.floors,
    )


def _tensors(
    single: dict[str, _Slot] | None, double: dict[str, _Slot] | None, tol: float, tol64: float
) -> tuple[TensorResult, ...]:
    results = []
    for slot, found in ((double or {}) | (single or {})).items():
        pair = [side[slot].error if side and slot in side else None for side in (single, double)]
        verdict = judge(*pair, tol=tol, tol64=tol64)
        results.append(TensorResult(slot, found.shape, *pair, verdict))
    return tuple(results)


def _disagreements(runs: Mapping[FloatType, _Run]) -> tuple[str, ...]:
    keys = [set(found.calls) for found in runs.values()]
    odd = sorted(set.union(*keys) - set.intersection(*keys))
    return tuple(f"{path!r} (call {call}) ran in one precision only" for path, call in odd)
