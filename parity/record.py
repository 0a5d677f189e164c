"""A run of a network as a stream of records, one for each module call.

Hooks on every module hand each finished call to a consumer, so that the same code can collect a
run in a list, compare it with another run as it goes, or write it to disk. Values are copied when
the hook runs: an in-place activation may overwrite them a moment later.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from parity.backends import backend_of

if TYPE_CHECKING:
    import numpy as np

    from parity.backends import Backend, FloatType
    from parity.precision import Floor

CallKey = tuple[str, int]


class NetworkError(RuntimeError):
    """A network's own forward raised; names the framework and the module it stopped in."""


@dataclass(frozen=True)
class Value:
    """One tensor of a module's inputs or outputs.

    Attributes:
        slot: Where it lies in a tuple, list or dict: '' for a lone tensor, else 'logits.1'.
        array: A copy of the values.
    """

    slot: str
    array: np.ndarray


@dataclass(frozen=True)
class Record:
    """One call of one module, written when the call was complete.

    Attributes:
        path: The module's path, '' for the network; a shared module has its first path.
        kind: Its class name.
        call: 0 for its first call in this run, then 1, 2 …
        outputs: Every tensor it returned.
        inputs: Those tensors it was given that no recorded module had returned: what the
            enclosing forward computed by itself, a concatenation or a functional resize.
        parent: The call that it ran inside; None for the network's own.
        leaf: It has no child modules.
        weights: It registers parameters of its own.
        floors: Single-precision kernels that its own forward called in a float64 run.
    """

    path: str
    kind: str
    call: int
    outputs: tuple[Value, ...]
    inputs: tuple[Value, ...]
    parent: CallKey | None
    leaf: bool
    weights: bool
    floors: tuple[Floor, ...] = ()

    @property
    def key(self) -> CallKey:
        """Path and call index, unique within a run."""
        return self.path, self.call

    def kept(self) -> Record:
        """Copy its outputs, so that it outlives the call of a sharing run."""
        outputs = tuple(Value(value.slot, value.array.copy()) for value in self.outputs)
        return replace(self, outputs=outputs)


Consumer = Callable[[Record], None]


@dataclass(frozen=True)
class Trace:
    """A whole run.

    Attributes:
        records: In order of completion, children before their parents.
        never_called: Paths of modules that hold weights and did not run, in registration order.
    """

    records: tuple[Record, ...]
    never_called: tuple[str, ...]


def flatten(value: Any, is_tensor: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    """Yield the tensors inside nested tuples, lists, dicts and dataclasses with their slots."""
    if is_tensor(value):
        yield "", value
        return
    for name, item in _items(value):
        for slot, tensor in flatten(item, is_tensor):
            yield f"{name}.{slot}".rstrip("."), tensor


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, tuple | list):
        yield from enumerate(value)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from vars(value).items()


@dataclass
class _Call:
    """A call under way."""

    key: CallKey
    inputs: tuple[Value, ...]
    floors: list[Floor] = field(default_factory=list)


@dataclass(frozen=True)
class _Returned:
    """What a module returned, as long as the tensor lives."""

    tensor: weakref.ref[Any]
    version: int
    array: np.ndarray


class Recorder:
    """Turns hook calls into records; knows which calls are under way."""

    def __init__(self, backend: Backend, consumer: Consumer, *, share: bool = False) -> None:
        """Start with nothing called; see `run` for the arguments."""
        self._share = share
        self._backend = backend
        self._consumer = consumer
        self._calls: Counter[str] = Counter()
        self._running: list[_Call] = []
        self._returned: dict[int, _Returned] = {}

    @property
    def where(self) -> str:
        """The path of the innermost call under way; after an exception, of the one it left."""
        return self._running[-1].key[0] if self._running else ""

    def note(self, floor: Floor) -> None:
        """Put a single-precision kernel down to the call under way."""
        if self._running:
            self._running[-1].floors.append(floor)

    def enter(self, path: str, given: Any) -> None:
        """Open a call."""
        tensors = flatten(given, self._backend.is_tensor)
        fresh = tuple(
            # Copied always: the module may overwrite its input before its record is due.
            Value(slot, self._backend.view(tensor).copy())
            for slot, tensor in tensors
            if self._known(tensor) is None
        )
        self._running.append(_Call((path, self._calls[path]), fresh))
        self._calls[path] += 1

    def leave(self, module: Any, output: Any) -> None:
        """Close the innermost call and hand its record to the consumer."""
        call = self._running.pop()
        self._consumer(
            Record(
                path=call.key[0],
                kind=type(module).__name__,
                call=call.key[1],
                outputs=tuple(
                    Value(slot, self._keep(tensor))
                    for slot, tensor in flatten(output, self._backend.is_tensor)
                ),
                inputs=call.inputs,
                parent=self._running[-1].key if self._running else None,
                leaf=self._backend.is_leaf(module),
                weights=self._backend.holds_weights(module),
                floors=tuple(call.floors),
            )
        )

    def _keep(self, tensor: Any) -> np.ndarray:
        # A container mostly returns what its last child did: that copy serves both.
        known = self._known(tensor)
        if known is not None:
            return known.array
        view, key = self._backend.view(tensor), id(tensor)
        array = view if self._share else view.copy()
        # Forgotten with its tensor: the memory held is that of the tensors alive.
        reference = weakref.ref(tensor, lambda gone: self._forget(key, gone))
        self._returned[key] = _Returned(reference, self._backend.version(tensor), array)
        return array

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
def observe(network: Any, consumer: Consumer, *, share: bool = False) -> Iterator[Recorder]:
    """Hand every module call inside the context to a consumer.

    Args:
        network: A torch Module or paddle Layer; nothing but its hooks is touched, and every hook
            is removed when the context ends, also by an exception.
        consumer: Called with each record as the call completes.
        share: See `run`.

    Yields:
        The recorder, which knows the call under way.
    """
    backend = backend_of(network)
    recorder = Recorder(backend, consumer, share=share)
    with ExitStack() as hooks:
        for path, module in backend.modules(network):
            hooks.callback(backend.before(module, _entering(recorder, path)))
            hooks.callback(backend.after(module, _leaving(recorder, module)))
        yield recorder


def _entering(recorder: Recorder, path: str) -> Callable[[Any], None]:
    return lambda given: recorder.enter(path, given)


def _leaving(recorder: Recorder, module: Any) -> Callable[[Any], None]:
    return lambda output: recorder.leave(module, output)


def run(
    network: Any,
    inputs: tuple[np.ndarray, ...],
    consumer: Consumer,
    dtype: FloatType,
    *,
    share: bool = False,
) -> None:
    """Run a network once in evaluation mode and hand every module call to a consumer.

    Args:
        network: A torch Module or paddle Layer whose parameters have the dtype already.
        inputs: Its positional arguments; floating arrays are cast to the dtype.
        consumer: Called with each record as the call completes.
        dtype: The precision of the run.
        share: Hand out arrays that may share the tensors' memory: nothing is copied, and they
            hold only until the consumer returns. See `Record.kept`.

    Raises:
        NetworkError: The network's forward raised.
    """
    backend = backend_of(network)
    tensors = [backend.from_numpy(_as(array, dtype)) for array in inputs]
    exact = backend.exact_kernels if dtype == "float64" else _as_they_are
    with (
        backend.inference(network, dtype),
        observe(network, consumer, share=share) as recorder,
        exact(recorder.note),
    ):
        try:
            network(*tensors)
        except Exception as error:
            text = str(error).strip().splitlines()
            raise NetworkError(
                f"the {backend.name} network stopped in {recorder.where!r} "
                f"({type(error).__name__}: {text[-1] if text else 'no message'})"
            ) from error


def _as_they_are(_: Any) -> AbstractContextManager[None]:
    return nullcontext()


def record(network: Any, inputs: tuple[np.ndarray, ...], dtype: FloatType = "float32") -> Trace:
    """Run a network once and keep the whole run; see `run`."""
    records: list[Record] = []
    run(network, inputs, records.append, dtype)
    return Trace(tuple(records), never_called(network, {entry.path for entry in records}))


def never_called(network: Any, called: set[str]) -> tuple[str, ...]:
    """List the paths of modules that hold weights and are not among those called."""
    backend = backend_of(network)
    return tuple(
        path
        for path, module in backend.modules(network)
        if path not in called and backend.holds_weights(module)
    )


def _as(array: np.ndarray, dtype: FloatType) -> np.ndarray:
    return array.astype(dtype) if array.dtype.kind == "f" else array
