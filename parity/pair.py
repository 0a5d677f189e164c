"""Who is whose partner: calls of the torch network paired with calls of the paddle network.

Calls pair by path and call index, after renames: the caller's, and those that `structure` derives
where names differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from parity.record import Given, Record

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from parity.record import CallKey, Event

E = TypeVar("E", "Record", "Given")
Wanted = tuple[type["Event"], str, int]


#: What a path is renamed to that is to have no partner; no module can have this name.
NO_PARTNER = "no partner."


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
    if path in rename:
        return rename[path]
    prefix = path.rpartition(".")[0]
    while prefix:
        if prefix in rename:
            return (rename[prefix] + path[len(prefix) :]).lstrip(".")
        prefix = prefix.rpartition(".")[0]
    return path


def partners(
    ours: Iterable[str], theirs: Container[str], rename: Mapping[str, str]
) -> dict[str, str]:
    """Give each torch path its paddle path, where paddle has one; no two get the same.

    What is renamed itself goes before what merely lies in something renamed or has the same name.

    >>> partners(["0", "1", "2"], ["0", "1"], {"2": "1"})
    {'2': '1', '0': '0'}
    """
    found: dict[str, str] = {}
    taken = set()
    for path in sorted(ours, key=lambda path: path not in rename):
        target = renamed(path, rename)
        if target in theirs and target not in taken:
            found[path] = target
            taken.add(target)
    return found


class Pairing:
    """Finds the torch record of each paddle record while both networks run.

    Torch goes ahead only as far as paddle has asked; its records that are asked for later wait as
    copies. Memory is that of the two networks' own activations, as long as they call their modules
    in the same order.
    """

    def __init__(self, events: Iterator[Event], paths: Mapping[str, str]) -> None:
        """Start before the first call of either.

        Args:
            events: Torch's records, and starts of calls if it stands still there, as they come.
            paths: Paddle path by torch path, of the modules that are partners.
        """
        self.order: list[CallKey] = []
        self.strangers: list[Unpaired] = []
        self._events = events
        self.paths = paths
        self._theirs = set(paths.values())
        self._waiting: dict[Wanted, Event] = {}
        self._left_over: list[Unpaired] = []

    def partner(self, event: E) -> E | None:
        """Give the torch side of a paddle record or start; without one, list the stranger."""
        if event.path in self._theirs:
            wanted = _sort(event), event.path, event.call
            found = self._waiting.pop(wanted, None) or self._advance(wanted)
            if found is not None:
                return cast("E", found)  # of the same sort, which is part of the key
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
            theirs = self.paths.get(event.path)
            if theirs is None:
                if isinstance(event, Record):
                    self._left_over.append(_unpaired(event))
                continue
            key = _sort(event), theirs, event.call
            if key == wanted:
                return event
            self._waiting[key] = event.kept()
        return None


def _sort(event: Event) -> type[Event]:
    # Records that a file keeps are of classes of their own.
    return Record if isinstance(event, Record) else Given


def _unpaired(record: Record) -> Unpaired:
    return Unpaired(record.path, record.kind, record.call, record.weights)
