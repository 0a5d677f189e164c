"""What lay around a stored call: what it was given, and what its last child returned."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from parity.record import Given, Record

if TYPE_CHECKING:
    import numpy as np

    from parity.record import CallKey


@dataclass
class _Open:
    """A call under way."""

    key: CallKey
    given: list[np.ndarray]
    last: list[np.ndarray] = field(default_factory=list)


class Surroundings:
    """Follows the events of a run that lists the starts of calls; see `Record.around`."""

    def __init__(self) -> None:
        """Start before the first event."""
        self._open: list[_Open] = []

    def __call__(self, event: Any) -> Any:
        """Give an event back, a record with what lay around its call."""
        if isinstance(event, Given):
            self._open.append(_Open(event.key, [value.array for value in event.inputs]))
        if not isinstance(event, Record):
            return event
        call = self._closed(event.key)
        if self._open:
            self._open[-1].last = [value.array for value in event.outputs]
        return event if call is None else replace(event, around=lambda: [*call.last, *call.given])

    def _closed(self, key: CallKey) -> _Open | None:
        """End a call, and those inside it that raised what it caught."""
        if not any(call.key == key for call in self._open):
            return None
        while self._open[-1].key != key:
            self._open.pop()
        return self._open.pop()
