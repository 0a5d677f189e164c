"""Both networks in one precision, side by side: each layer is compared when both have reached it.

Only numbers are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from parity.compare import TensorError, tensor_error
from parity.conventions import other_places
from parity.error_map import FirstMaps
from parity.pair import Pairing, Unpaired, partners
from parity.progress import tell
from parity.record import CallKey, Record, Value
from parity.ties import tie

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parity.error_map import ErrorMap
    from parity.precision import Floor
    from parity.source import Source


#: One tensor that a call returned: the call and the tensor's slot.
Place = tuple[CallKey, str]
#: Classes that are made of other sublayers in either framework.
WHOLE = frozenset({"MultiheadAttention", "MultiHeadAttention", "LSTM", "GRU", "RNN", "SimpleRNN"})


@dataclass(frozen=True)
class Slot:
    """One tensor's error.

    Attributes:
        shape: Its shape in torch.
        error: How far paddle's is from it.
        where: Where in the tensor, for the run's first failures.
    """

    shape: tuple[int, ...]
    error: TensorError
    where: ErrorMap | None = None


@dataclass(frozen=True)
class CallErrors:
    """The errors of one call; the names are those of `parity.layer_result.LayerResult`."""

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


def aligned(
    ours: tuple[Value, ...], theirs: tuple[Value, ...]
) -> list[tuple[str, Value | None, Value | None]]:
    """Pair tensors by slot, lone ones whatever their slots; None stands for a missing partner."""
    if len(ours) == len(theirs) == 1:
        return [(ours[0].slot, ours[0], theirs[0])]
    found = {value.slot: value for value in theirs}
    both = [(value.slot, value, found.pop(value.slot, None)) for value in ours]
    return [*both, *((slot, None, value) for slot, value in found.items())]


def returned(ours: Record, theirs: Record) -> list[tuple[str, Value | None, Value | None]]:
    """Pair what two calls returned; see `aligned`. Some layers return the same in other places."""
    places = other_places(ours, theirs)
    if places is None:
        return aligned(ours.outputs, theirs.outputs)
    a, b = ({value.slot: value for value in call.outputs} for call in (ours, theirs))
    return [(slot, a[place], b[slot]) for slot, place in places.items()]


def lone(ours: Value | None) -> Slot:
    """Give the slot of a tensor that one side alone has."""
    side, shape = ("paddle", ()) if ours is None else ("torch", ours.array.shape)
    return Slot(shape, TensorError(None, 0.0, fault=f"only {side} returns it"))


#: Shown each pair of returned tensors once, with torch's record.
Seen = Callable[[Record, "np.ndarray", "np.ndarray"], None]


@dataclass
class Comparer:
    """Consumes paddle's records and keeps numbers only.

    Attributes:
        pairing: Finds torch's record of each.
        maps: Draws the run's first failures.
        seen: See `Seen`.
        calls: The errors, by torch's call.
        partners: Torch's call and slot by paddle's, of every tensor that both returned.
    """

    pairing: Pairing
    maps: FirstMaps
    seen: Seen | None = None
    calls: dict[CallKey, CallErrors] = field(default_factory=dict)
    partners: dict[Place, Place] = field(default_factory=dict)
    last: tuple[np.ndarray, np.ndarray, TensorError] | None = None

    def __call__(self, theirs: Record) -> None:
        """Measure one call."""
        ours = self.pairing.partner(theirs)
        if ours is not None:
            tell(ours.path)
            self.calls[ours.key] = CallErrors(
                name=ours.path,
                call=ours.call,
                kind=ours.kind,
                paddle_kind=theirs.kind,
                parent=ours.parent,
                outputs=self._compare_outputs(ours, theirs),
                inputs=self._compare_common(ours.inputs, theirs.inputs),
                floors=theirs.floors,
            )

    def finish(self, silent: Callable[[set[str]], tuple[str, ...]]) -> RunErrors:
        """Run torch to its end and put everything in its order.

        Args:
            silent: Gives the paths of torch's modules that are not among those called.
        """
        torch_only = self.pairing.left_over()
        order = self.pairing.order
        calls = {key: self.calls[key] for key in order if key in self.calls}
        whole = _Whole(calls, self.pairing.paths)
        never = silent({path for path, _ in order})
        return RunErrors(
            calls,
            tuple(call for call in torch_only if not whole.holds_ours(call.path)),
            tuple(call for call in self.pairing.strangers if not whole.holds_theirs(call.path)),
            tuple(path for path in never if not whole.holds_ours(path)),
        )

    def _compare_outputs(self, ours: Record, theirs: Record) -> dict[str, Slot]:
        pairs = returned(ours, theirs)
        for _, a, b in pairs:
            if a is not None and b is not None:
                self.partners[theirs.key, b.slot] = ours.key, a.slot
                if self.seen is not None and not self._cached(a.array, b.array):
                    self.seen(ours, a.array, b.array)
        return {slot: _with_tie(self._slot(a, b), ours, a, b) for slot, a, b in pairs}

    def _compare_common(
        self, ours: tuple[Value, ...], theirs: tuple[Value, ...]
    ) -> dict[str, Slot]:
        pairs = aligned(ours, theirs)
        return {slot: self._slot(a, b) for slot, a, b in pairs if a is not None and b is not None}

    def _slot(self, ours: Value | None, theirs: Value | None) -> Slot:
        if ours is None or theirs is None:
            return lone(ours)
        return self._measured(ours.array, theirs.array)

    def _measured(self, ours: np.ndarray, theirs: np.ndarray) -> Slot:
        # A container that returns its last child's tensors brings the same arrays again.
        if self.last and self._cached(ours, theirs):
            return Slot(ours.shape, self.last[2])
        error = tensor_error(ours, theirs)
        self.last = ours, theirs, error
        return Slot(ours.shape, error, self.maps.draw(ours, theirs, error))

    def _cached(self, ours: np.ndarray, theirs: np.ndarray) -> bool:
        return self.last is not None and self.last[0] is ours and self.last[1] is theirs


def _with_tie(found: Slot, call: Record, ours: Value | None, theirs: Value | None) -> Slot:
    """Say so where indices differ at ties only."""
    error = found.error
    if not (error.exact and error.error) or ours is None or theirs is None:
        return found
    others = (value.array for value in call.outputs)
    note = tie(ours.array, theirs.array, [*others, *call.around()])
    return replace(found, error=replace(error, note=note))


def compare_runs(
    ours: Source, theirs: Source, *, rename: Mapping[str, str], bound: float = np.inf
) -> RunErrors:
    """Measure every call of the second run against its partner in the first.

    Args:
        ours: Torch's run, the reference.
        theirs: Paddle's, in the same precision.
        rename: Torch path prefix to paddle path prefix.
        bound: The first errors beyond it get a map; without one, the first that have no figure.

    Raises:
        NetworkError: A network's forward raised.
    """
    paths = partners(ours.paths(), theirs.paths(), rename)
    with ours.paused() as records:
        comparer = Comparer(Pairing(records, paths), FirstMaps(bound))
        theirs.stream(comparer)
        return comparer.finish(ours.never_called)


class _Whole:
    """The paired layers that the frameworks split up differently: what is inside needs no partner.

    torch's attention calls none of its own, paddle's four Linear layers.
    """

    def __init__(self, calls: Mapping[CallKey, CallErrors], paths: Mapping[str, str]) -> None:
        found = {c.name for c in calls.values() if c.kind in WHOLE and c.paddle_kind in WHOLE}
        self._ours = tuple(f"{path}." for path in found)
        self._theirs = tuple(f"{paths[path]}." for path in found)

    def holds_ours(self, path: str) -> bool:
        return path.startswith(self._ours)

    def holds_theirs(self, path: str) -> bool:
        return path.startswith(self._theirs)
