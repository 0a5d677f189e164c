"""From the calls of hooks to a stream of records, one for each module call.

Hooks on every module hand each finished call to a consumer, so that the same code can collect a
run in a list, compare it with another run as it goes, or write it to disk. Values are copied when
the hook runs: an in-place activation may overwrite them a moment later.
"""

from __future__ import annotations

import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from parity.backends import backend_of
from parity.nested import flatten, rebuilt
from parity.record import ROOT, Given, Record, Value

if TYPE_CHECKING:
    import numpy as np

    from parity.backends import Backend
    from parity.precision import Floor
    from parity.record import CallKey, Consumer, GivenConsumer, Replacement, Watch

#: So many items of a generator are recorded; it may be without end.
DRAWN = 1000


@dataclass
class _Call:
    """A call under way.

    Attributes:
        key: Path and call index.
        module: What is called.
        inputs: See `Record.inputs`.
        versions: The tensors it was given, by id, as they were then; kept where values may be
            exchanged.
        exchanged: What its caller gave it, what it works on instead, and the version of that.
        floors: See `Record.floors`.
        sources: See `Record.sources`.
        given: The tensors it was given, which its caller holds as well.
        last: What the last of its children returned.
    """

    key: CallKey
    module: Any
    inputs: tuple[Value, ...] = ()
    versions: dict[int, int] = field(default_factory=dict)
    exchanged: list[tuple[Any, Any, int]] = field(default_factory=list)
    floors: list[Floor] = field(default_factory=list)
    sources: tuple[CallKey, ...] = ()
    given: list[Any] = field(default_factory=list)
    last: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class _Returned:
    """What a module returned, as long as the tensor lives."""

    tensor: weakref.ref[Any]
    version: int
    array: np.ndarray
    key: CallKey


@dataclass(frozen=True)
class _Copied:
    """A copy of what modules are given, as long as one of them has it."""

    tensor: weakref.ref[Any]
    version: int
    array: weakref.ref[np.ndarray]


class Recorder:
    """Turns hook calls into records; knows which calls are under way."""

    def __init__(
        self,
        backend: Backend,
        consumer: Consumer,
        *,
        share: bool = False,
        given: GivenConsumer | None = None,
        watch: Watch | None = None,
        numbers: Mapping[CallKey, int] | None = None,
    ) -> None:
        """Start with nothing called; see `run` for the arguments."""
        self._numbers = numbers or {}
        self._share = share
        self._watch = watch
        self._backend = backend
        self._consumer = consumer
        self._given = given
        self._calls: Counter[str] = Counter()
        self._running: list[_Call] = []
        self._returned: dict[int, _Returned] = {}
        self._copies: dict[int, _Copied] = {}
        #: Floors by call that came after its record: those of its backward pass.
        self.late: defaultdict[CallKey, list[Floor]] = defaultdict(list)

    @property
    def where(self) -> str:
        """The path of the innermost call under way; after an exception, of the one it left."""
        return self._running[-1].key[0] if self._running else ""

    def noting(self) -> Callable[[Floor], None]:
        """Give what puts a single-precision kernel down to the call that is now under way."""
        if not self._running:
            return self.late[ROOT].append
        call = self._running[-1]

        def note(floor: Floor) -> None:
            call.floors.append(floor)  # another list once its record is written

        return note

    def enter(self, path: str, module: Any, arguments: Any) -> Any:
        """Open a call; give the arguments that it is to have instead of its own, or None."""
        number = self._calls[path]
        call = _Call((path, self._numbers.get((path, number), number)), module)
        self._calls[path] += 1
        tensors = list(flatten(arguments, self._backend.is_tensor))
        call.given = [tensor for _, tensor in tensors]
        known = (self._known(tensor) for tensor in call.given)
        call.sources = tuple(found.key for found in known if found is not None)
        if self._given is None:
            call.inputs = self._fresh(tensors)
            new = None
        else:
            new = self._given_instead(call, tensors)
        self._running.append(call)
        return rebuilt(arguments, self._backend.is_tensor, new) if new else None

    def leave(self, module: Any, output: Any) -> Any:
        """Close the innermost call and hand its record to the consumer.

        Returns:
            The output that the network is to go on with instead of the module's own, or None.
        """
        if isinstance(output, Iterator):
            # A generator runs when it is asked; what it calls belongs to this call.
            drawn = list(islice(output, DRAWN))
            return chain(self.leave(module, drawn) or drawn, output)
        call = self._running.pop()
        while call.module is not module:
            # It raised, and its caller caught that.
            call = self._running.pop()
        tensors = list(flatten(output, self._backend.is_tensor))
        values = (Value(slot, self._keep(tensor, call.key)) for slot, tensor in tensors)
        if self._watch is not None:
            self._watch(call.key, tensors)
        reply = self._consumer(
            Record(
                path=call.key[0],
                kind=type(module).__name__,
                call=call.key[1],
                outputs=tuple(values),
                inputs=call.inputs,
                parent=self._parent,
                leaf=self._backend.is_leaf(module),
                weights=self._backend.holds_weights(module),
                floors=tuple(call.floors),
                around=partial(self._views, call),
                sources=call.sources,
            )
        )
        call.given, call.last = [], []
        if self._running:
            self._running[-1].last = [tensor for _, tensor in tensors]
        call.floors = self.late[call.key]
        new = self._returned_instead(call, tensors, reply) if reply else None
        for caller_has, worked_on, version in call.exchanged:
            # The caller sees what an in-place operation did to its tensor.
            if self._backend.version(worked_on) != version:
                self._backend.overwrite(caller_has, self._backend.view(worked_on))
        return rebuilt(output, self._backend.is_tensor, new) if new else None

    def _views(self, call: _Call) -> list[np.ndarray]:
        return [self._backend.view(tensor) for tensor in (*call.last, *call.given)]

    @property
    def _parent(self) -> CallKey | None:
        return self._running[-1].key if self._running else None

    def _fresh(self, tensors: list[tuple[str, Any]]) -> tuple[Value, ...]:
        return tuple(
            Value(slot, self._copy(tensor))
            for slot, tensor in tensors
            if self._known(tensor) is None
        )

    def _copy(self, tensor: Any) -> np.ndarray:
        # A copy always, for the module may overwrite its input before its record is due; but one
        # for all the modules inside one another that are given the tensor.
        key, version = id(tensor), self._backend.version(tensor)
        known = self._copies.get(key)
        if known is not None and known.tensor() is tensor and known.version == version:
            array = known.array()
            if array is not None:
                return array
        array = self._backend.view(tensor).copy()
        gone = weakref.ref(array, lambda gone: self._forget_copy(key, gone))
        self._copies[key] = _Copied(weakref.ref(tensor), version, gone)
        return array

    def _forget_copy(self, key: int, gone: weakref.ref[np.ndarray]) -> None:
        if key in self._copies and self._copies[key].array is gone:
            del self._copies[key]

    def _given_instead(self, call: _Call, tensors: list[tuple[str, Any]]) -> dict[str, Any]:
        assert self._given is not None  # noqa: S101 - the caller asked
        values = tuple(Value(slot, self._current(tensor)) for slot, tensor in tensors)
        reply = self._given(Given(*call.key, values, self._parent)) or {}
        new = {
            slot: self._backend.like(tensor, reply[slot])
            for slot, tensor in tensors
            if slot in reply
        }
        for slot, tensor in tensors:
            used = new.get(slot, tensor)
            call.versions[id(used)] = self._backend.version(used)
            if slot in new:
                call.exchanged.append((tensor, used, call.versions[id(used)]))
        return new

    def _returned_instead(
        self, call: _Call, tensors: list[tuple[str, Any]], reply: Replacement
    ) -> dict[str, Any]:
        new = {}
        for slot, tensor in tensors:
            if slot not in reply:
                continue
            before = call.versions.get(id(tensor))
            if before is not None and before != self._backend.version(tensor):
                # It worked in place: whoever holds the tensor is to see torch's values.
                self._backend.overwrite(tensor, reply[slot])
            else:
                # A tensor of its own: writing could reach a parameter, or what it is a view of.
                new[slot] = self._backend.like(tensor, reply[slot])
                self._keep(new[slot], call.key)
        return new

    def _keep(self, tensor: Any, key: CallKey) -> np.ndarray:
        # A container mostly returns what its last child did: that copy serves both.
        known = self._known(tensor)
        if known is not None:
            return known.array
        view, place = self._backend.view(tensor), id(tensor)
        array = view if self._share else view.copy()
        # Forgotten with its tensor: the memory held is that of the tensors alive.
        reference = weakref.ref(tensor, lambda gone: self._forget(place, gone))
        self._returned[place] = _Returned(reference, self._backend.version(tensor), array, key)
        return array

    def _current(self, tensor: Any) -> np.ndarray:
        known = self._known(tensor)
        return self._copy(tensor) if known is None else known.array

    def _known(self, tensor: Any) -> _Returned | None:
        found = self._returned.get(id(tensor))
        if found is None or found.tensor() is not tensor:
            return None
        return found if found.version == self._backend.version(tensor) else None

    def _forget(self, key: int, gone: weakref.ref[Any]) -> None:
        # The number may be another tensor's by now.
        if key in self._returned and self._returned[key].tensor is gone:
            del self._returned[key]


@contextmanager
def observe(
    network: Any,
    consumer: Consumer,
    *,
    share: bool = False,
    given: GivenConsumer | None = None,
    watch: Watch | None = None,
    numbers: Mapping[CallKey, int] | None = None,
) -> Iterator[Recorder]:
    """Hand every module call inside the context to a consumer.

    Args:
        network: A torch Module or paddle Layer; nothing but its hooks is touched, and every hook
            is removed when the context ends, also by an exception.
        consumer: Called with each record as the call completes.
        share: See `run`.
        given: See `run`.
        watch: Shown the tensors that each call returned, by slot.
        numbers: See `run`.

    Yields:
        The recorder, which knows the call under way.
    """
    backend = backend_of(network)
    recorder = Recorder(backend, consumer, share=share, given=given, watch=watch, numbers=numbers)
    with ExitStack() as hooks:
        for path, module in backend.modules(network):
            hooks.callback(backend.before(module, _entering(recorder, path, module)))
            hooks.callback(backend.after(module, _leaving(recorder, module)))
        yield recorder


def _entering(recorder: Recorder, path: str, module: Any) -> Callable[[Any], Any]:
    return lambda arguments: recorder.enter(path, module, arguments)


def _leaving(recorder: Recorder, module: Any) -> Callable[[Any], Any]:
    return lambda output: recorder.leave(module, output)
