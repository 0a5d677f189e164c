"""Both networks forward and backward in one precision, side by side.

Torch goes on into its backward pass as paddle does, and stands still at each gradient until paddle
has the same one; the two are compared in place and released.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from parity.backward import Gradient
from parity.compare import TensorError, tensor_error
from parity.error_map import FirstMaps
from parity.kinks import Kinks
from parity.pair import Pairing, partners
from parity.progress import tell
from parity.runs import Comparer, Slot

if TYPE_CHECKING:
    from parity.backward import Backward
    from parity.paused import PausedRun
    from parity.precision import Floor
    from parity.record import CallKey, Event
    from parity.runs import Place, RunErrors
    from parity.source import Source

#: The gradient of a tensor that a call returned; of an input there is no call.
GradientPlace = tuple["CallKey | None", str]


@dataclass(frozen=True)
class GradientErrors:
    """One precision's gradients.

    Attributes:
        places: The errors, in the order of torch's backward pass.
        floors: Single-precision kernels by the call whose backward pass they ran in.
        kinks: Values that are zero in one framework alone.
        order: Torch's calls in order of completion.
        inputs: The gradients by the network's inputs, torch's first.
    """

    places: dict[GradientPlace, Slot]
    floors: Mapping[CallKey, tuple[Floor, ...]]
    kinks: Kinks
    order: tuple[CallKey, ...]
    inputs: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


class Phases:
    """One stream of records and then gradients, as two."""

    def __init__(self, events: Iterator[Event | Gradient]) -> None:
        """Start before the first record."""
        self._events = events
        self._first: Gradient | None = None

    def forward(self) -> Iterator[Event]:
        """Yield the records."""
        for event in self._events:
            if isinstance(event, Gradient):
                self._first = event
                return
            yield event

    def backward(self) -> Iterator[Gradient]:
        """Yield the gradients, once the records are through."""
        if self._first is not None:
            yield self._first
        for event in self._events:
            if isinstance(event, Gradient):
                yield event


@dataclass
class GradientComparer:
    """Consumes paddle's gradients and keeps numbers only; its own order may be another.

    Attributes:
        gradients: Torch's, as they come.
        partners: Torch's call and slot by paddle's.
        maps: Draws the run's first failures.
        forced: Paddle's pass goes on from torch's gradients: what is measured is its own.
        errors: What was measured.
        inputs: See `GradientErrors`.
    """

    gradients: Iterator[Gradient]
    partners: Mapping[Place, Place]
    maps: FirstMaps
    forced: bool = False
    errors: dict[GradientPlace, Slot] = field(default_factory=dict)
    inputs: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    _order: dict[GradientPlace, None] = field(default_factory=dict)
    _waiting: dict[GradientPlace, Gradient] = field(default_factory=dict)

    def __call__(self, theirs: Gradient) -> np.ndarray | None:
        """Measure one gradient; that of a call without a partner is nobody's."""
        place = self._place(theirs)
        if place is None:
            return None
        tell(f"gradient of {place[0][0] if place[0] else 'the inputs'}")
        ours = self._waiting.pop(place, None) or self._advance(place)
        if ours is None:
            self.errors[place] = alone(theirs.array, "torch")
            return None
        if theirs.key is None:
            self.inputs[theirs.slot] = ours.array.copy(), theirs.array.copy()
        found = self.errors[place] = self._measured(ours, theirs)
        if not self.forced or not found.error.error:
            return None
        return ours.array.copy()

    def finish(self) -> dict[GradientPlace, Slot]:
        """Run torch to its end; what waits by then has no gradient in paddle."""
        self._advance(None)
        paired = set(self.partners.values())
        for place, gradient in self._waiting.items():
            if place[0] is None or place in paired:
                self.errors[place] = alone(gradient.array, "paddle")
        order = self._order | dict.fromkeys(self.errors)
        return {place: self.errors[place] for place in order if place in self.errors}

    def _place(self, theirs: Gradient) -> GradientPlace | None:
        if theirs.key is None:
            return None, theirs.slot
        return self.partners.get((theirs.key, theirs.slot))

    def _measured(self, ours: Gradient, theirs: Gradient) -> Slot:
        error = tensor_error(ours.array, theirs.array)
        where = self.maps.draw(ours.array, theirs.array, error)
        return Slot(ours.array.shape, error, where)

    def _advance(self, wanted: GradientPlace | None) -> Gradient | None:
        for gradient in self.gradients:
            place = gradient.key, gradient.slot
            self._order[place] = None
            if place == wanted:
                return gradient
            self._waiting[place] = gradient.kept()
        return None


def alone(found: np.ndarray, other: str) -> Slot:
    """Give the slot of a gradient that the other framework does not have: it is zero there."""
    if not found.any():
        return Slot(found.shape, TensorError(0.0, 0.0))
    largest = float(np.max(np.abs(found)))
    fault = f"no gradient reaches it in {other}, it is up to {largest:.1e} in the other framework"
    return Slot(found.shape, TensorError(None, largest, fault=fault))


def compare_through(
    ours: Source,
    theirs: Source,
    backward: Backward,
    *,
    rename: Mapping[str, str],
    bound: float = np.inf,
    forced: bool = False,
) -> tuple[RunErrors, GradientErrors]:
    """Measure every call of the second run against its partner in the first, and its gradients.

    The gradients of the parameters are left in the networks; see `parity.parameters`.

    Args:
        ours: Torch's run, the reference; of a network of one's own.
        theirs: Paddle's, in the same precision.
        backward: Where both start backward.
        rename: Torch path prefix to paddle path prefix.
        bound: See `parity.runs.compare_runs`.
        forced: Each gradient of paddle's is exchanged for torch's once it was measured.

    Raises:
        NetworkError: A network's forward or backward raised.
    """
    kinks = Kinks()
    with ours.paused_through(backward) as events:
        phases = Phases(events)
        pairing = Pairing(phases.forward(), partners(ours.paths(), theirs.paths(), rename))
        comparer = Comparer(
            pairing, FirstMaps(bound), seen=kinks if ours.dtype == "float32" else None
        )
        gradients = GradientComparer(phases.backward(), comparer.partners, FirstMaps(bound), forced)

        def after_forward(gradient: Gradient) -> np.ndarray | None:
            if not gradients.errors:
                pairing.left_over()  # whatever torch's forward has left to do
            return gradients(gradient)

        floors = theirs.stream_through(comparer, after_forward, backward)
        errors = comparer.finish(ours.never_called)
        places = gradients.finish()
    floors = _merged(events, floors)
    late = {key: tuple(found) for key, found in floors.items() if found}
    order = tuple(pairing.order)
    return errors, GradientErrors(places, late, kinks, order, gradients.inputs)


def _merged(
    ours: PausedRun[Event | Gradient], theirs: dict[CallKey, list[Floor]]
) -> dict[CallKey, list[Floor]]:
    # Paddle's calls have torch's names but for renames: a floor is a remark, no verdict.
    found: dict[CallKey, list[Floor]] = ours.returned or {}
    return {key: [*found.get(key, []), *theirs.get(key, [])] for key in {**found, **theirs}}
