"""A run that a file keeps, read as if it ran now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from parity.backward import Gradient
from parity.dump.consistent import Nested
from parity.dump.members import events_member, from_json, gradients_member
from parity.dump.surroundings import Surroundings
from parity.dump.typed import OddValueError
from parity.precision import Floor
from parity.record import CallKey, Event, Record
from parity.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from parity.backends import FloatType
    from parity.backward import Backward, GradientConsumer
    from parity.dump.archive import Archive
    from parity.dump.typed import Load
    from parity.inventory import Module
    from parity.record import Consumer, GivenConsumer


#: Single-precision kernels by the call whose backward pass they ran in.
Floors = tuple[tuple[CallKey, tuple[Floor, ...]], ...]


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
        for event in self._events(self.archive.array):
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
        member = gradients_member(self.dtype)
        content = self.archive.json(member)
        if not isinstance(content, dict) or content.keys() != {"gradients", "floors"}:
            raise self.archive.odd(member, "expected gradients and floors")
        for gradient in self._read(member, content["gradients"], Gradient, self.archive.array):
            gradients(replace(gradient, key=gradient.key and self._number(gradient.key)))
        return {key: list(found) for key, found in self._floors(member, content["floors"])}

    def _floors(self, member: str, plain: Any) -> Floors:
        try:
            return cast("Floors", from_json(plain, Floors, self.archive.array))
        except OddValueError as error:
            raise self.archive.odd(member, str(error.within("floors"))) from error

    def never_called(self, called: set[str]) -> tuple[str, ...]:
        """List modules with weights that are not among those called."""
        return tuple(m.path for m in self.modules if m.weights and m.path not in called)

    def called(self) -> dict[str, str]:
        """Give the classes of the modules that ran, by path, without a look at any array."""
        kinds: dict[str, str] = {}
        for event in self._events(_no_array):
            if isinstance(event, Record):
                kinds.setdefault(event.path, event.kind)
        return kinds

    def records(self) -> Iterator[Record]:
        """Yield the calls alone."""
        events = self._events(self.archive.array)
        return (event for event in events if isinstance(event, Record))

    def _events(self, load: Load) -> Iterator[Event]:
        member = events_member(self.dtype)
        nested, surrounded = Nested({module.path for module in self.modules}), Surroundings()
        for event in self._read(member, self.archive.json(member), Event, load):
            for odd in nested.oddities(event):
                raise self.archive.odd(member, odd)
            found = surrounded(event)
            yield self._renumbered(found) if self.numbers else found

    def _read(self, member: str, entries: Any, expected: Any, load: Load) -> Iterator[Any]:
        if not isinstance(entries, list):
            raise self.archive.odd(member, "expected a list")
        last: dict[str, np.ndarray] = {}
        for place, entry in enumerate(entries):
            arrays = _Arrays(load, last)
            try:
                event = from_json(entry, expected, arrays.load)
            except OddValueError as error:
                raise self.archive.odd(member, str(error.within(f"[{place}]"))) from error
            yield event
            self.archive.forget(set(last) - set(arrays.used))
            last = arrays.used

    def _renumbered(self, event: Event) -> Event:
        parent = event.parent and self._number(event.parent)
        found = replace(event, call=self._number(event.key)[1], parent=parent)
        if isinstance(found, Record):
            return replace(found, sources=tuple(map(self._number, found.sources)))
        return found

    def _number(self, key: CallKey) -> CallKey:
        return key[0], self.numbers.get(key, key[1])


def _no_array(_: str) -> np.ndarray:
    return np.empty(0)


@dataclass(frozen=True)
class _Arrays:
    """Gives the same object for the same member as the event before, which comparers recognise."""

    source: Load
    last: dict[str, np.ndarray]
    used: dict[str, np.ndarray] = field(default_factory=dict)

    def load(self, name: str) -> np.ndarray:
        """Give a member's array."""
        self.used[name] = self.last[name] if name in self.last else self.source(name)
        return self.used[name]
