"""Who is whose partner: calls of the torch network paired with calls of the paddle network.

Calls pair by path and call index, after the caller's renames. Nothing is matched by likeness: a
guessed pair would make every later number worthless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from parity.record import CallKey, Record


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
        self, records: Iterator[Record], rename: Mapping[str, str], ours: set[str], theirs: set[str]
    ) -> None:
        """Start before the first call of either.

        Args:
            records: Torch's, as they come.
            rename: Torch path prefix to paddle path prefix.
            ours: All module paths of the torch network.
            theirs: All module paths of the paddle network.
        """
        self.order: list[CallKey] = []
        self.strangers: list[Unpaired] = []
        self._records = records
        self._rename = rename
        self._ours = {renamed(path, rename) for path in ours}
        self._theirs = theirs
        self._waiting: dict[CallKey, Record] = {}
        self._left_over: list[Unpaired] = []

    def partner(self, record: Record) -> Record | None:
        """Give the torch record of a paddle record; without one, list the stranger."""
        if record.path in self._ours:
            found = self._waiting.pop(record.key, None) or self._advance(record.key)
            if found is not None:
                return found
        self.strangers.append(_unpaired(record))
        return None

    def left_over(self) -> tuple[Unpaired, ...]:
        """Run torch to its end, and list its calls whose partner never came."""
        self._advance(None)
        waiting = [_unpaired(record) for record in self._waiting.values()]
        order = {key: place for place, key in enumerate(self.order)}
        return tuple(sorted([*self._left_over, *waiting], key=lambda u: order[u.path, u.call]))

    def _advance(self, wanted: CallKey | None) -> Record | None:
        for record in self._records:
            self.order.append(record.key)
            key = renamed(record.path, self._rename), record.call
            if key == wanted:
                return record
            if key[0] in self._theirs:
                self._waiting[key] = record.kept()
            else:
                self._left_over.append(_unpaired(record))
        return None


def _unpaired(record: Record) -> Unpaired:
    return Unpaired(record.path, record.kind, record.call, record.weights)
