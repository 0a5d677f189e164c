"""Both networks in one precision: torch's run recorded, paddle's compared as it goes.

Only numbers are kept: a torch record is released once its partner has come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from parity.compare import TensorError, tensor_error
from parity.pair import Pairing, Unpaired
from parity.record import CallKey, Record, Value, record, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from parity.backends import FloatType
    from parity.precision import Floor


@dataclass(frozen=True)
class Slot:
    """One tensor's error.

    Attributes:
        shape: Its shape in torch.
        error: How far paddle's is from it.
    """

    shape: tuple[int, ...]
    error: TensorError


@dataclass(frozen=True)
class CallErrors:
    """The errors of one call; the names are those of `parity.result.LayerResult`."""

    name: str
    call: int
    kind: str
    paddle_kind: str
    parent: CallKey | None
    outputs: dict[str, Slot]
    inputs: dict[str, Slot]
    floors: tuple[Floor, ...] = ()


@dataclass(frozen=True)
class RunErrors:
    """One precision's comparison; calls in torch's order."""

    calls: dict[CallKey, CallErrors]
    torch_only: tuple[Unpaired, ...]
    paddle_only: tuple[Unpaired, ...]
    never_called: tuple[str, ...]


@dataclass
class _Comparer:
    """Consumes paddle's records and keeps numbers only."""

    pairing: Pairing
    calls: dict[CallKey, CallErrors] = field(default_factory=dict)
    last: tuple[np.ndarray, np.ndarray, TensorError] | None = None

    def __call__(self, theirs: Record) -> None:
        ours = self.pairing.partner(theirs)
        if ours is not None:
            self.calls[ours.key] = CallErrors(
                name=ours.path,
                call=ours.call,
                kind=ours.kind,
                paddle_kind=theirs.kind,
                parent=ours.parent,
                outputs=self._compare(ours.outputs, theirs.outputs),
                inputs=self._compare_common(ours.inputs, theirs.inputs),
                floors=theirs.floors,
            )

    def _compare(self, ours: tuple[Value, ...], theirs: tuple[Value, ...]) -> dict[str, Slot]:
        if len(ours) == len(theirs) == 1:
            return {ours[0].slot: self._slot(ours[0], theirs[0])}
        found = {value.slot: value for value in theirs}
        slots = {value.slot: self._slot(value, found.pop(value.slot, None)) for value in ours}
        extra = {slot: TensorError(None, 0.0, fault="only paddle returns it") for slot in found}
        return slots | {slot: Slot((), error) for slot, error in extra.items()}

    def _compare_common(
        self, ours: tuple[Value, ...], theirs: tuple[Value, ...]
    ) -> dict[str, Slot]:
        common = {value.slot for value in ours} & {value.slot for value in theirs}
        return self._compare(
            tuple(value for value in ours if value.slot in common),
            tuple(value for value in theirs if value.slot in common),
        )

    def _slot(self, ours: Value, theirs: Value | None) -> Slot:
        if theirs is None:
            error = TensorError(None, 0.0, fault="only torch returns it")
        else:
            error = self._error(ours.array, theirs.array)
        return Slot(ours.array.shape, error)

    def _error(self, ours: np.ndarray, theirs: np.ndarray) -> TensorError:
        # A container that returns its last child's tensors brings the same arrays again.
        if self.last is None or self.last[0] is not ours or self.last[1] is not theirs:
            self.last = ours, theirs, tensor_error(ours, theirs)
        return self.last[2]


def compare_runs(
    torch_module: Any,
    paddle_layer: Any,
    inputs: tuple[np.ndarray, ...],
    *,
    dtype: FloatType,
    rename: Mapping[str, str],
) -> RunErrors:
    """Run two networks that have the dtype already, and measure every call of the second.

    Args:
        torch_module: The reference.
        paddle_layer: The network in question.
        inputs: The positional arguments of both.
        dtype: The precision of both.
        rename: Torch path prefix to paddle path prefix.

    Raises:
        NetworkError: A network's forward raised.
    """
    trace = record(torch_module, inputs, dtype)
    order = [entry.key for entry in trace.records]
    never_called = trace.never_called
    comparer = _Comparer(Pairing.of(trace.records, rename))
    # From here on only the pairing holds the records, and it lets go of each in turn.
    del trace
    run(paddle_layer, inputs, comparer, dtype)
    calls = {key: comparer.calls[key] for key in order if key in comparer.calls}
    pairing = comparer.pairing
    return RunErrors(calls, pairing.left_over(), tuple(pairing.strangers), never_called)
