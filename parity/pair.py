"""Who is whose partner: calls of the torch network paired with calls of the paddle network.

Calls pair by path and call index, after the caller's renames. Nothing is matched by likeness: a
guessed pair would make every later number worthless.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@dataclass
class Pairing:
    """Finds the torch record of each paddle record as the latter arrive.

    Attributes:
        reference: Torch's records that are still waiting, by their key in the paddle network;
            a record is forgotten when its partner has come, so memory shrinks as the run goes on.
        strangers: Paddle's calls that found nobody.
    """

    reference: dict[CallKey, Record]
    strangers: list[Unpaired] = field(default_factory=list)

    @classmethod
    def of(cls, records: tuple[Record, ...], rename: Mapping[str, str]) -> Pairing:
        """Wait for the partners of torch's records."""
        return cls({(renamed(r.path, rename), r.call): r for r in records})

    def partner(self, record: Record) -> Record | None:
        """Take out the torch record of a paddle record; without one, list the stranger."""
        found = self.reference.pop(record.key, None)
        if found is None:
            self.strangers.append(_unpaired(record))
        return found

    def left_over(self) -> tuple[Unpaired, ...]:
        """List the torch calls whose partner never came, in their order."""
        return tuple(_unpaired(record) for record in self.reference.values())


def _unpaired(record: Record) -> Unpaired:
    return Unpaired(record.path, record.kind, record.call, record.weights)
