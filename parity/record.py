"""What a run of a network is made of: a record of each module call. Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from parity.precision import Floor

CallKey = tuple[str, int]
#: The network's own call.
ROOT: CallKey = ("", 0)


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
        around: Gives what the call was given and what its last child returned, as long as the
            arrays hold: what an index among its outputs may point into.
        sources: The calls that had returned what it was given, as far as any had.
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
    around: Callable[[], list[np.ndarray]] = field(default=list, repr=False, compare=False)
    sources: tuple[CallKey, ...] = field(default=(), compare=False)

    @property
    def key(self) -> CallKey:
        """Path and call index, unique within a run."""
        return self.path, self.call

    def kept(self) -> Record:
        """Copy its outputs, so that it outlives the call of a sharing run."""
        return replace(self, outputs=_copied(self.outputs), around=list)


@dataclass(frozen=True)
class Given:
    """A call about to start.

    Attributes:
        path: The module's path, as in `Record`.
        call: The call's index, as in `Record`.
        inputs: Every tensor that it is given.
        parent: The call that it runs inside; None for the network's own.
    """

    path: str
    call: int
    inputs: tuple[Value, ...]
    parent: CallKey | None

    @property
    def key(self) -> CallKey:
        """Path and call index."""
        return self.path, self.call

    def kept(self) -> Given:
        """Copy its inputs, so that it outlives the start of the call."""
        return replace(self, inputs=_copied(self.inputs))


def _copied(values: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple(Value(value.slot, value.array.copy()) for value in values)


Event = Record | Given

#: Values by slot that the network is to go on with instead of its own.
Replacement = Mapping[str, "np.ndarray"]
Consumer = Callable[[Record], Replacement | None]
GivenConsumer = Callable[[Given], Replacement | None]
Watch = Callable[[CallKey, "list[tuple[str, Any]]"], None]


@dataclass(frozen=True)
class Trace:
    """A whole run.

    Attributes:
        records: In order of completion, children before their parents.
        never_called: Paths of modules that hold weights and did not run, in registration order.
    """

    records: tuple[Record, ...]
    never_called: tuple[str, ...]
