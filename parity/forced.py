"""A run in which every paddle call goes on from torch's values: errors do not travel.

What a call returned is compared with torch's first and exchanged for it then. So every later call,
and every parent's own forward, computes from right values, and whatever it gets wrong is its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from parity.compare import tensor_error
from parity.error_map import FirstMaps
from parity.pair import Pairing, partners
from parity.progress import tell
from parity.record import Record
from parity.runs import Slot, aligned, lone, returned

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

    from parity.record import CallKey, Event, Given, Value
    from parity.source import Source

    #: Sees both sides of a start or an end of a call, torch's first, before values are exchanged.
    Witness = Callable[[Event, Event], None]


@dataclass(frozen=True)
class ForcedCall:
    """One call, computed from torch's values.

    Attributes:
        key: Path and call index in torch.
        parent: The nearest enclosing call that has a partner.
        start: Place of its start among the starts and ends of torch's calls.
        end: Place of its end.
        given: How far what it was given is from what torch's was given.
        outputs: How far what it returned is from what torch's returned.
        given_stuck: Why what it was given cannot be exchanged for torch's, '' if it can.
        stuck: Why what it returned could not be exchanged for torch's, '' if it was.
    """

    key: CallKey
    parent: CallKey | None
    start: int
    end: int
    given: Mapping[str, Slot]
    outputs: Mapping[str, Slot]
    given_stuck: str = ""
    stuck: str = ""


@dataclass
class _Events:
    """Torch's events on their way, with their places."""

    events: Iterator[Event]
    starts: dict[CallKey, int] = field(default_factory=dict)
    ends: dict[CallKey, int] = field(default_factory=dict)
    parents: dict[CallKey, CallKey | None] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Event]:
        for place, event in enumerate(self.events):
            places = self.ends if isinstance(event, Record) else self.starts
            places[event.key] = place
            self.parents[event.key] = event.parent
            yield event


@dataclass
class _Forcing:
    """Compares what paddle's calls are given and return, and gives torch's values back."""

    pairing: Pairing
    exchange_given: Container[CallKey]
    maps: FirstMaps
    witness: Witness | None = None
    given: dict[CallKey, tuple[dict[str, Slot], str]] = field(default_factory=dict)
    returned: dict[CallKey, tuple[dict[str, Slot], str]] = field(default_factory=dict)

    def on_start(self, theirs: Given) -> Mapping[str, np.ndarray] | None:
        ours = self.pairing.partner(theirs)
        if ours is None:
            return None
        if self.witness is not None:
            self.witness(ours, theirs)
        pairs = aligned(ours.inputs, theirs.inputs)
        slots, instead, stuck = _compared([pair for pair in pairs if None not in pair], self.maps)
        if any(array.dtype.kind == "b" for array in instead.values()):
            # Masks mean 'drop' in one framework and 'keep' in the other: torch's would not do.
            stuck = stuck or "a mask differs"
        self.given[ours.key] = slots, stuck
        return instead if ours.key in self.exchange_given else None

    def on_return(self, theirs: Record) -> Mapping[str, np.ndarray] | None:
        ours = self.pairing.partner(theirs)
        if ours is None:
            return None
        if self.witness is not None:
            self.witness(ours, theirs)
        tell(ours.path)
        slots, instead, stuck = _compared(returned(ours, theirs), self.maps)
        self.returned[ours.key] = slots, stuck
        return instead


def _compared(
    pairs: list[tuple[str, Value | None, Value | None]], maps: FirstMaps
) -> tuple[dict[str, Slot], dict[str, np.ndarray], str]:
    """Measure tensors; tell what paddle is to go on with, and why some of it cannot be had."""
    slots, instead, stuck = {}, {}, ""
    for slot, ours, theirs in pairs:
        if ours is None or theirs is None:
            slots[slot] = lone(ours)
            stuck = stuck or slots[slot].error.fault
            continue
        error = tensor_error(ours.array, theirs.array)
        slots[slot] = Slot(ours.array.shape, error, maps.draw(ours.array, theirs.array, error))
        if not _alike(ours.array, theirs.array):
            stuck = stuck or error.fault
        elif error.error != 0:
            instead[theirs.slot] = ours.array
    return slots, instead, stuck


def _alike(ours: np.ndarray, theirs: np.ndarray) -> bool:
    kinds = {"u": "i"}
    same = kinds.get(ours.dtype.kind, ours.dtype.kind) == kinds.get(
        theirs.dtype.kind, theirs.dtype.kind
    )
    return same and ours.shape == theirs.shape


def forced_run(
    ours: Source,
    theirs: Source,
    *,
    rename: Mapping[str, str],
    exchange_given: Container[CallKey] = (),
    bound: float = np.inf,
    witness: Witness | None = None,
) -> dict[CallKey, ForcedCall]:
    """Measure every paddle call's own error.

    Args:
        ours: Torch's run, the reference.
        theirs: Paddle's, in the same precision.
        rename: Torch path prefix to paddle path prefix.
        exchange_given: The calls that also get torch's values for what they are given.
        bound: The first errors beyond it get a map; see `parity.runs.compare_runs`.
        witness: Sees the values on both sides of every paired start and end.

    Returns:
        The paired calls in torch's order of completion.

    Raises:
        NetworkError: A network's forward raised.
    """
    with ours.paused(starts=True) as events:
        seen = _Events(events)
        pairing = Pairing(iter(seen), partners(ours.paths(), theirs.paths(), rename))
        forcing = _Forcing(pairing, exchange_given, FirstMaps(bound), witness)
        theirs.stream(forcing.on_return, forcing.on_start)
        pairing.left_over()
    calls = [_call(key, forcing, seen) for key in pairing.order if key in forcing.returned]
    return {call.key: call for call in calls}


def _call(key: CallKey, forcing: _Forcing, seen: _Events) -> ForcedCall:
    parent = seen.parents[key]
    while parent is not None and parent not in forcing.returned:
        parent = seen.parents[parent]
    (given, given_stuck), (outputs, stuck) = forcing.given[key], forcing.returned[key]
    places = seen.starts[key], seen.ends[key]
    return ForcedCall(key, parent, *places, given, outputs, given_stuck, stuck)
