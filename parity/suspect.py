"""A call at fault, taken out of its network: what it was given, what was wanted, what came out.

Every hypothesis about it is tried on a copy of its layer alone.
"""

from __future__ import annotations

import copy
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.backends import backend_of
from parity.compare import tensor_error
from parity.forced import forced_run
from parity.nested import flatten, rebuilt
from parity.pair import partners
from parity.record import Given, Record, Value
from parity.runs import aligned, returned

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from parity.backends import FloatType
    from parity.record import CallKey, Event
    from parity.source import LiveRun

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Suspect:
    """One call that goes wrong by itself.

    Attributes:
        key: Path and call index in torch.
        paddle_path: Its layer's path in paddle.
        torch_module: Its module, of a copy.
        paddle_layer: Its layer, of a copy in the precision of the run.
        torch_arguments: What torch's call was given.
        arguments: What paddle's call was given, with torch's values.
        wanted: What torch's call returned.
        found: What paddle's call returned, computed from torch's values.
        training: The run was in training mode.
    """

    key: CallKey
    paddle_path: str
    torch_module: Any
    paddle_layer: Any
    torch_arguments: Arguments
    arguments: Arguments
    wanted: tuple[Value, ...]
    found: tuple[Value, ...]
    training: bool = False

    @property
    def double(self) -> bool:
        """Whether the run was in float64."""
        return any(value.array.dtype == np.float64 for value in self.wanted)

    @property
    def takes_masks(self) -> bool:
        """Whether paddle's call was given a mask of truth values."""
        backend = backend_of(self.paddle_layer)
        tensors = (tensor for _, tensor in flatten(self.arguments, backend.is_tensor))
        return any(backend.view(tensor).dtype == bool for tensor in tensors)

    def error(self, layer: Callable[..., Any], *, invert_masks: bool = False) -> float:
        """Run a layer in the place of paddle's; infinite where the results cannot be compared."""
        backend = backend_of(self.paddle_layer)
        args, kwargs = _copied(self.arguments, backend, invert_masks=invert_masks)
        dtype: FloatType = "float64" if self.double else "float32"
        exact = backend.exact_kernels(lambda: lambda _: None)
        try:
            with backend.running(self.paddle_layer, dtype, training=self.training), exact:
                output = layer(*args, **kwargs)
        except Exception:  # noqa: BLE001 - a hypothesis that cannot run is a wrong one
            return float("inf")
        values = tuple(
            Value(slot, backend.view(tensor)) for slot, tensor in flatten(output, backend.is_tensor)
        )
        return distance(self.wanted, values)

    def own_error(self) -> float:
        """Give the error that is to be explained."""
        return distance(self.wanted, self.found)

    def trial(self, mend: Callable[[Any], Any]) -> float:
        """Give the error that is left when a copy of the layer was mended."""
        layer = copy.deepcopy(self.paddle_layer)
        try:
            layer = mend(layer)
        except Exception:  # noqa: BLE001 - as above
            return float("inf")
        layer.train() if self.training else layer.eval()
        return self.error(layer)


def distance(wanted: tuple[Value, ...], found: tuple[Value, ...]) -> float:
    """Give the largest error among tensors, infinite where two cannot be compared."""
    errors = [
        None if ours is None or theirs is None else tensor_error(ours.array, theirs.array).error
        for _, ours, theirs in aligned(wanted, found)
    ]
    return max((np.inf if error is None else error for error in errors), default=np.inf)


@dataclass
class _Collector:
    """Copies what passes by at the calls of interest."""

    keys: Collection[CallKey]
    torch_arguments: dict[CallKey, Arguments] = field(default_factory=dict)
    arguments: dict[CallKey, Arguments] = field(default_factory=dict)
    given: dict[CallKey, tuple[Given, Given]] = field(default_factory=dict)
    returned: dict[CallKey, tuple[Record, Record]] = field(default_factory=dict)

    def __call__(self, ours: Event, theirs: Event) -> None:
        if ours.key not in self.keys:
            return
        if isinstance(ours, Given) and isinstance(theirs, Given):
            self.given[ours.key] = ours.kept(), theirs.kept()
        elif isinstance(ours, Record) and isinstance(theirs, Record):
            self.returned[ours.key] = ours.kept(), theirs.kept()


def collect(
    ours: LiveRun,
    theirs: LiveRun,
    keys: Collection[CallKey],
    *,
    rename: Mapping[str, str],
    exchange_given: Collection[CallKey] = (),
) -> dict[CallKey, Suspect]:
    """Run both networks once more, and take the given calls out of them.

    Args:
        ours: Torch's run.
        theirs: Paddle's, in the same precision.
        keys: The calls at fault, by torch's path and call index.
        rename: Torch path prefix to paddle path prefix.
        exchange_given: See `parity.forced.forced_run`.

    Raises:
        NetworkError: A network's forward raised.
    """
    seen = _Collector(frozenset(keys))
    with ExitStack() as hooks:
        paths = partners(ours.paths(), theirs.paths(), rename)
        ours_seen = _arguments(ours.network, {path for path, _ in keys}, hooks)
        theirs_seen = _arguments(theirs.network, {paths[path] for path, _ in keys}, hooks)
        layers = dict(backend_of(theirs.network).modules(theirs.network))
        # Copied first: a run may change buffers.
        fresh = {paths[path]: copy.deepcopy(layers[paths[path]]) for path, _ in keys}
        forced_run(ours, theirs, rename=rename, exchange_given=exchange_given, witness=seen)
    torch_modules = dict(backend_of(ours.network).modules(ours.network))
    found = {}
    for key in keys:
        if key not in seen.returned or key not in seen.given:
            continue
        wanted, had = seen.returned[key]
        found[key] = Suspect(
            key,
            had.path,
            torch_modules[key[0]],
            fresh[had.path],
            ours_seen[key],
            _with_values(theirs_seen[had.key], *seen.given[key], theirs.network),
            _in_paddle_slots(wanted, had),
            had.outputs,
            theirs.training,
        )
    return found


def _in_paddle_slots(ours: Record, theirs: Record) -> tuple[Value, ...]:
    """Give what torch's call returned where paddle's returns the same."""
    pairs = returned(ours, theirs)
    values = [Value(b.slot, a.array) for _, a, b in pairs if a is not None and b is not None]
    return tuple(values) if len(values) == len(pairs) else ours.outputs


def _arguments(network: Any, paths: set[str], hooks: ExitStack) -> dict[CallKey, Arguments]:
    """Copy the arguments of every call of some modules while the hooks hold."""
    backend, calls = backend_of(network), Counter[str]()
    kept: dict[CallKey, Arguments] = {}

    def keep(path: str, arguments: Any) -> None:
        kept[path, calls[path]] = _copied(arguments, backend)
        calls[path] += 1

    for path, module in backend.modules(network):
        if path in paths:
            hooks.callback(backend.before(module, partial(keep, path)))
    return kept


def _copied(arguments: Any, backend: Any, *, invert_masks: bool = False) -> Any:
    new = {}
    for slot, tensor in flatten(arguments, backend.is_tensor):
        array = backend.view(tensor).copy()
        new[slot] = backend.like(tensor, ~array if invert_masks and array.dtype == bool else array)
    return rebuilt(arguments, backend.is_tensor, new)


def _with_values(arguments: Any, ours: Given, theirs: Given, network: Any) -> Any:
    """Put torch's values into the arguments of paddle's call; masks keep their own meaning."""
    backend = backend_of(network)
    values = {
        b.slot: a.array
        for _, a, b in aligned(ours.inputs, theirs.inputs)
        if a is not None and b is not None and a.array.shape == b.array.shape
        if a.array.dtype.kind != "b"
    }
    new = {
        slot: backend.like(tensor, values[slot].copy())
        for slot, tensor in flatten(arguments, backend.is_tensor)
        if slot in values
    }
    return rebuilt(arguments, backend.is_tensor, new) if new else arguments
