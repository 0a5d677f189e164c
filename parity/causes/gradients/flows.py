"""Through which tensors gradients can flow, call by call; and stopping them where wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from parity.backends import backend_of
from parity.backends.autograd import autograd_of
from parity.nested import flatten, rebuilt

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Mapping

    from parity.record import CallKey


@dataclass(frozen=True)
class Tensor:
    """A tensor that a call was given or returned.

    Attributes:
        identity: Tells it from all others of the run.
        flows: A gradient can flow through it.
    """

    identity: int
    flows: bool


@dataclass(frozen=True)
class Flow:
    """One call.

    Attributes:
        key: Its path and number.
        parent: The call that it ran inside; None for the network itself.
        inputs: What it was given, floating tensors alone.
        outputs: What it returned.
    """

    key: CallKey
    parent: CallKey | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass
class Flows:
    """Notes the calls of one run, in order of their starts.

    Attributes:
        calls: What was noted.
    """

    network: Any
    calls: dict[CallKey, Flow] = field(default_factory=dict)

    @contextmanager
    def noted(self) -> Iterator[Flows]:
        """Note while the context holds."""
        backend = backend_of(self.network)
        count, around, kept = Counter[str](), list[Any](), list[Any]()

        def enter(path: str, arguments: Any) -> None:
            key = path, count[path]
            count[path] += 1
            parent = around[-1] if around else None
            self.calls[key] = Flow(key, parent, self._tensors(arguments, kept), ())
            around.append(key)

        def leave(output: Any) -> None:
            flow = self.calls[around.pop()]
            outputs = self._tensors(output, kept)
            self.calls[flow.key] = Flow(flow.key, flow.parent, flow.inputs, outputs)

        with ExitStack() as hooks:
            for path, module in backend.modules(self.network):
                hooks.callback(backend.before(module, partial(enter, path)))
                hooks.callback(backend.after(module, leave))
            yield self

    def _tensors(self, value: Any, kept: list[Any]) -> tuple[Tensor, ...]:
        backend, autograd = backend_of(self.network), autograd_of(self.network)
        found = [t for _, t in flatten(value, backend.is_tensor) if t.is_floating_point()]
        kept.extend(found)  # so that no two tensors of a run share a number
        return tuple(Tensor(id(t), autograd.flows(t)) for t in found)


@dataclass(frozen=True)
class Stop:
    """A place where paddle's gradient stops and torch's goes on.

    Attributes:
        key: Of the call.
        place: Which of the floating tensors that it was given, or returned.
        returned: It is one that it returned.
        layer: The path of the forward that stops it.
    """

    key: CallKey
    place: int
    returned: bool
    layer: str


def stops(
    ours: Mapping[CallKey, Flow],
    theirs: Mapping[CallKey, Flow],
    paths: Mapping[str, str],
    frameworks_own: Container[str],
) -> list[Stop]:
    """List where gradients stop in paddle, each once where it arises.

    Args:
        ours: Torch's calls in order of their starts.
        theirs: Paddle's.
        paths: Paddle's path by torch's.
        frameworks_own: Paddle's paths of layers that stop nothing by themselves.
    """
    found: list[Stop] = []
    known: set[int] = set()
    for key, mine in ours.items():
        other = theirs.get((paths.get(key[0], "-"), key[1]))
        if other is None:
            continue
        for returned in (False, True):
            pairs = zip(
                *((c.outputs if returned else c.inputs) for c in (mine, other)), strict=False
            )
            for place, (one, two) in enumerate(pairs):
                if not one.flows or two.flows or two.identity in known:
                    continue
                if returned and any(_inside(stop.key, key, ours) for stop in found):
                    # What a child was not given back: its own stop tells.
                    known.add(two.identity)
                    continue
                known.add(two.identity)
                parent = mine.parent[0] if mine.parent is not None else ""
                itself = returned and other.key[0] not in frameworks_own
                found.append(Stop(key, place, returned, key[0] if itself else parent))
    return found


def _inside(key: CallKey, outer: CallKey, calls: Mapping[CallKey, Flow]) -> bool:
    parent = calls[key].parent
    while parent is not None and parent != outer:
        parent = calls[parent].parent
    return parent == outer


@contextmanager
def stopped(network: Any, where: Collection[Stop]) -> Iterator[None]:
    """Stop a torch network's gradients at some places while the context holds."""
    backend = backend_of(network)
    starts, ends = Counter[str](), Counter[str]()

    def cut(path: str, count: Counter[str], returned: bool, value: Any) -> Any:
        key = path, count[path]
        count[path] += 1
        places = {stop.place for stop in where if stop.key == key and stop.returned == returned}
        slots = [
            (slot, t) for slot, t in flatten(value, backend.is_tensor) if t.is_floating_point()
        ]
        new = {slot: t.detach() for n, (slot, t) in enumerate(slots) if n in places}
        return rebuilt(value, backend.is_tensor, new) if new else None

    with ExitStack() as hooks:
        for path, module in backend.modules(network):
            hooks.callback(backend.before(module, partial(cut, path, starts, False)))
            hooks.callback(backend.after(module, partial(cut, path, ends, True)))
        yield
