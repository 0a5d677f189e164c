"""Who is whose partner: calls of the torch network paired with calls of the paddle network.

Calls pair by path and call index, after the caller's renames. Nothing is matched by likeness: a
guessed pair would make every later number worthless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from parity.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from parity.record import CallKey, Event, Given

E = TypeVar("E", "Record", "Given")
Wanted = tuple[type["Event"], str, int]


@dataclass(frozen=True)
class Unpaired:
    """A call without a partner.

    Attributes:
        path: The module's path in its own network.
        kind: Its class.
        call: The call's index.
        weights: It registers parameters, and so has to have a partner. Wrappers and modules
            without weights need none: what they return is compared where it arrives.
    """

    path: str
    kind: str
    call: int
    weights: bool


def renamed(path: str, rename: Mapping[str, str]) -> str:
    """Give the paddle path of a torch path; the longest matching prefix of whole names wins.

    >>> renamed("encoder.0.conv", {"encoder": "backbone", "encoder.0": "stem"})
    'stem.conv'
    """
    for prefix in sorted(rename, key=len, reverse=True):
        if path == prefix or (prefix and path.startswith(f"{prefix}.")):
            return (rename[prefix] + path[len(prefix) :]).lstrip(".")
    return path


class Pairing:
    """Finds the torch record of each paddle record while both networks run.

    Torch goes ahead only as far as paddle has asked; its records that are asked for later wait as
    copies. Memory is that of the two networks' own activations, as long as they call their modules
    in the same order.
    """

    def __init__(
        self, events: Iterator[Event], rename: Mapping[str, str], ours: set[str], theirs: set[str]
    ) -> None:
        """Start before the first call of either.

        Args:
            events: Torch's records, and starts of calls if it stands still there, as they come.
            rename: Torch path prefix to paddle path prefix.
            ours: All module paths of the torch network.
            theirs: All module paths of the paddle network.
        """
        self.order: list[CallKey] = []
        self.strangers: list[Unpaired] = []
        self._events = events
        self._rename = rename
        self._ours = {renamed(path, rename) for path in ours}
        self._theirs = theirs
        self._waiting: dict[Wanted, Event] = {}
        self._left_over: list[Unpaired] = []

    def partner(self, event: E) -> E | None:
        """Give the torch side of a paddle record or start; without one, list the stranger."""
        if event.path in self._ours:
            wanted = type(event), event.path, event.call
            found = self._waiting.pop(wanted, None) or self._advance(wanted)
            if isinstance(found, type(event)):
                return found
        if isinstance(event, Record):
            self.strangers.append(_unpaired(event))
        return None

    def left_over(self) -> tuple[Unpaired, ...]:
        """Run torch to its end, and list its calls whose partner never came."""
        self._advance(None)
        records = (event for event in self._waiting.values() if isinstance(event, Record))
        waiting = [_unpaired(record) for record in records]
        order = {key: place for place, key in enumerate(self.order)}
        return tuple(sorted([*self._left_over, *waiting], key=lambda u: order[u.path, u.call]))

    def _advance(self, wanted: Wanted | None) -> Event | None:
        for event in self._events:
            if isinstance(event, Record):
                self.order.append(event.key)
            key = type(event), renamed(event.path, self._rename), event.call
            if key == wanted:
                return event
            if key[1] in self._theirs:
                self._waiting[key] = event.kept()
            elif isinstance(event, Record):
                self._left_over.append(_unpaired(event))
        return None


def _unpaired(record: Record) -> Unpaired:
    return Unpaired(record.path, record.kind, record.call, record.weights)
