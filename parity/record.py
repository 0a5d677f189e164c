"""A run of a network as a stream of records, one for each module call.

Hooks on every module hand each finished call to a consumer, so that the same code can collect a
run in a list, compare it with another run as it goes, or write it to disk. Values are copied when
the hook runs: an in-place activation may overwrite them a moment later.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any

from parity.backends import Backend, FloatType, backend_of

if TYPE_CHECKING:
    import numpy as np

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
    """

    path: str
    kind: str
    call: int
    outputs: tuple[Value, ...]
    inputs: tuple[Value, ...]
    parent: CallKey | None
    leaf: bool
    weights: bool

    @property
    def key(self) -> CallKey:
        """Path and call index, unique within a run."""
        return self.path, self.call


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


class _Recorder:
    """Turns hook calls into records; knows which calls are under way."""

    def __init__(self, backend: Backend, consumer: Consumer) -> None:
        self.backend = backend
        self.consumer = consumer
        self.calls: Counter[str] = Counter()
        self.running: list[tuple[CallKey, tuple[Value, ...]]] = []
        self.returned: dict[int, tuple[weakref.ref[Any], int]] = {}

    def enter(self, path: str, given: Any) -> None:
        tensors = flatten(given, self.backend.is_tensor)
        fresh = tuple(self._copy(slot, t) for slot, t in tensors if not self._was_returned(t))
        self.running.append(((path, self.calls[path]), fresh))
        self.calls[path] += 1

    def leave(self, module: Any, output: Any) -> None:
        (path, call), inputs = self.running.pop()
        tensors = list(flatten(output, self.backend.is_tensor))
        record = Record(
            path=path,
            kind=type(module).__name__,
            call=call,
            outputs=tuple(self._copy(slot, tensor) for slot, tensor in tensors),
            inputs=inputs,
            parent=self.running[-1][0] if self.running else None,
            leaf=self.backend.is_leaf(module),
            weights=self.backend.holds_weights(module),
        )
        for _, tensor in tensors:
            self.returned[id(tensor)] = weakref.ref(tensor), self.backend.version(tensor)
        self.consumer(record)

    def _copy(self, slot: str, tensor: Any) -> Value:
        return Value(slot, self.backend.to_numpy(tensor))

    def _was_returned(self, tensor: Any) -> bool:
        reference, version = self.returned.get(id(tensor), (None, -1))
        alive = reference is not None and reference() is tensor
        return alive and version == self.backend.version(tensor)


@contextmanager
def observe(network: Any, consumer: Consumer) -> Iterator[list[CallKey]]:
    """Hand every module call inside the context to a consumer.

    Args:
        network: A torch Module or paddle Layer; nothing but its hooks is touched, and every hook
            is removed when the context ends, also by an exception.
        consumer: Called with each record as the call completes.

    Yields:
        The calls that were under way when the context ended: empty unless a forward raised.
    """
    backend = backend_of(network)
    recorder = _Recorder(backend, consumer)
    unfinished: list[CallKey] = []
    with ExitStack() as hooks:
        for path, module in backend.modules(network):
            hooks.callback(backend.before(module, _entering(recorder, path)))
            hooks.callback(backend.after(module, _leaving(recorder, module)))
        try:
            yield unfinished
        finally:
            unfinished.extend(key for key, _ in recorder.running)


def _entering(recorder: _Recorder, path: str) -> Callable[[Any], None]:
    return lambda given: recorder.enter(path, given)


def _leaving(recorder: _Recorder, module: Any) -> Callable[[Any], None]:
    return lambda output: recorder.leave(module, output)


def run(network: Any, inputs: tuple[np.ndarray, ...], consumer: Consumer, dtype: FloatType) -> None:
    """Run a network once in evaluation mode and hand every module call to a consumer.

    Args:
        network: A torch Module or paddle Layer whose parameters have the dtype already.
        inputs: Its positional arguments; floating arrays are cast to the dtype.
        consumer: Called with each record as the call completes.
        dtype: The precision of the run.

    Raises:
        NetworkError: The network's forward raised.
    """
    backend = backend_of(network)
    tensors = [backend.from_numpy(_as(array, dtype)) for array in inputs]
    unfinished: list[CallKey] = []
    with backend.inference(network, dtype):
        try:
            with observe(network, consumer) as unfinished:
                network(*tensors)
        except Exception as error:
            where = repr(unfinished[-1][0]) if unfinished else "''"
            text = str(error).strip().splitlines()
            raise NetworkError(
                f"the {backend.name} network stopped in {where} "
                f"({type(error).__name__}: {text[-1] if text else 'no message'})"
            ) from error


def record(network: Any, inputs: tuple[np.ndarray, ...], dtype: FloatType = "float32") -> Trace:
    """Run a network once and keep the whole run; see `run`."""
    records: list[Record] = []
    run(network, inputs, records.append, dtype)
    called = {entry.path for entry in records}
    backend = backend_of(network)
    silent = (
        path
        for path, module in backend.modules(network)
        if path not in called and backend.holds_weights(module)
    )
    return Trace(tuple(records), tuple(silent))


def _as(array: np.ndarray, dtype: FloatType) -> np.ndarray:
    return array.astype(dtype) if array.dtype.kind == "f" else array
