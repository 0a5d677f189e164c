"""A run that a file keeps, read as if it ran now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from parity.backward import Gradient
from parity.dump.manifest import DumpError
from parity.dump.members import events_member, from_json, gradients_member
from parity.dump.surroundings import Surroundings
from parity.record import Record
from parity.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from parity.backends import FloatType
    from parity.backward import Backward, GradientConsumer
    from parity.dump.archive import Archive
    from parity.inventory import Module
    from parity.precision import Floor
    from parity.record import CallKey, Consumer, GivenConsumer


@dataclass(frozen=True)
class StoredRun(Source):
    """One precision's run in a file; what it hands out stays readable.

    Attributes:
        archive: The file.
        dtype: The precision.
        modules: Of the network.
        numbers: Other numbers for calls of repeated modules; see `parity.reorder`.
    """

    archive: Archive
    dtype: FloatType
    modules: tuple[Module, ...]
    numbers: Mapping[CallKey, int] = field(default_factory=dict)

    def paths(self) -> set[str]:
        """Give the paths of all modules."""
        return {module.path for module in self.modules}

    def stream(self, consumer: Consumer, given: GivenConsumer | None = None) -> None:
        """Read through."""
        for event in self._read(self.archive.json(events_member(self.dtype))):
            if isinstance(event, Record):
                consumer(event)
            elif given is not None:
                given(event)

    def stream_through(
        self,
        consumer: Consumer,
        gradients: GradientConsumer,
        backward: Backward,  # noqa: ARG002 - the pass was made when the file was
    ) -> dict[CallKey, list[Floor]]:
        """Read through, forward and backward.

        Raises:
            DumpError: There was no backward pass.
        """
        self.stream(consumer)
        content = self.archive.json(gradients_member(self.dtype))
        for gradient in self._read(content["gradients"]):
            gradients(gradient)
        return {key: list(found) for key, found in from_json(content["floors"], self.archive.array)}

    def never_called(self, called: set[str]) -> tuple[str, ...]:
        """List modules with weights that are not among those called."""
        return tuple(m.path for m in self.modules if m.weights and m.path not in called)

    def called(self) -> dict[str, str]:
        """Give the classes of the modules that ran, by path, without a look at any array."""
        kinds: dict[str, str] = {}
        for entry in self.archive.json(events_member(self.dtype)):
            if entry["is"] == "Record":
                kinds.setdefault(entry["path"], entry["kind"])
        return kinds

    def records(self) -> Iterator[Record]:
        """Yield the calls alone."""
        events = self._read(self.archive.json(events_member(self.dtype)))
        return (event for event in events if isinstance(event, Record))

    def _read(self, entries: list[Any]) -> Iterator[Any]:
        last: dict[str, np.ndarray] = {}
        surrounded = Surroundings()
        for entry in entries:
            arrays = _Arrays(self.archive, last)
            try:
                event = surrounded(from_json(entry, arrays.load))
            except (TypeError, KeyError) as error:
                raise DumpError(f"{self.archive.path}: an entry that cannot be read") from error
            yield self._renumbered(event) if self.numbers else event
            self.archive.forget(set(last) - set(arrays.used))
            last = arrays.used

    def _renumbered(self, event: Any) -> Any:
        if isinstance(event, Gradient):
            return replace(event, key=event.key and self._number(event.key))
        parent = event.parent and self._number(event.parent)
        found = replace(event, call=self._number(event.key)[1], parent=parent)
        if isinstance(found, Record):
            return replace(found, sources=tuple(map(self._number, found.sources)))
        return found

    def _number(self, key: CallKey) -> CallKey:
        return key[0], self.numbers.get(key, key[1])


@dataclass(frozen=True)
class _Arrays:
    """Gives the same object for the same member as the event before, which comparers recognise."""

    archive: Archive
    last: dict[str, np.ndarray]
    used: dict[str, np.ndarray] = field(default_factory=dict)

    def load(self, name: str) -> np.ndarray:
        """Give a member's array."""
        self.used[name] = self.last[name] if name in self.last else self.archive.array(name)
        return self.used[name]
