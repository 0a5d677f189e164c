"""The operations of one forward as a list; the same for both frameworks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.backends import backend_of
from parity.nested import flatten, rebuilt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parity.backends import Backend


#: Properties of a tensor that are operations.
TRANSPOSED = ("T", "mT")


@dataclass(frozen=True, eq=False, repr=False)
class Tensor:
    """A tensor that an operation took or gave.

    Attributes:
        slot: Where it stood among the arguments, or in the result.
        identity: Tells the object from all others of the run.
        array: Its values at that time.
    """

    slot: str
    identity: int
    array: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Operation:
    """One operation, or one call of a child.

    Attributes:
        name: Of the function; of a child, its class.
        function: Computes it again; None for a child.
        arguments: Positional and keyword arguments.
        given: The tensors among them.
        outputs: The tensors that came out.
        child: The child's path below the module, '' for an operation.
    """

    name: str
    function: Callable[..., Any] | None
    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    given: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    child: str = ""


@dataclass
class Trace:
    """What ran inside one module's forward, outside and with its children.

    Attributes:
        operations: In order.
        given: What the module was given.
        returned: What it returned.
    """

    backend: Backend
    operations: list[Operation] = field(default_factory=list)
    given: tuple[Tensor, ...] = ()
    returned: tuple[Tensor, ...] = ()
    depth: int = 0
    kept: list[Any] = field(default_factory=list)

    @cached_property
    def constants(self) -> frozenset[int]:
        """The tensors that follow from parameters and constants alone, by identity."""
        given = {tensor.identity for tensor in self.given}
        found: set[int] = set()
        for operation in self.operations:
            sources = {tensor.identity for tensor in operation.given}
            found |= sources - given
            made = {tensor.identity for tensor in operation.outputs}
            constant = not operation.child and (sources <= found or _of_shape_alone(operation.name))
            found = found | made if constant else found - made
            given |= set() if constant else made
        return frozenset(found)

    def tensors(self, value: Any) -> tuple[Tensor, ...]:
        """Copy the tensors inside a value."""
        found = list(flatten(value, self.backend.is_tensor))
        # Kept alive, so that no two tensors of a run share a number.
        self.kept.extend(tensor for _, tensor in found)
        with self.unseen():
            arrays = [self.backend.view(tensor).copy() for _, tensor in found]
        pairs = zip(found, arrays, strict=True)
        return tuple(Tensor(slot, id(tensor), array) for (slot, tensor), array in pairs)

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """Note nothing meanwhile."""
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def call(self, name: str, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run an operation, and note it unless it is part of another."""
        if self.depth:
            return function(*args, **kwargs)
        given = self.tensors((args, kwargs))
        with self.unseen():
            output = function(*args, **kwargs)
        outputs = self.tensors(output)
        if not outputs and name.endswith("setitem__"):
            outputs = self.tensors(args[0])
        if outputs:
            self.operations.append(Operation(name, function, (args, kwargs), given, outputs))
        return output


def _of_shape_alone(name: str) -> bool:
    """Tell whether an operation takes a tensor's shape and type, and none of its values."""
    return name.endswith("_like") or name.startswith("new_")


#: Gives, for a child's path, its call's index and what it is given, the values to go on with.
Forced = Callable[[str, int, tuple[Tensor, ...]], "Mapping[str, np.ndarray] | None"]


@contextmanager
def children(trace: Trace, module: Any, forced: Forced) -> Iterator[None]:
    """Note the calls of a module's children, and exchange what they return.

    Args:
        trace: Where to.
        module: The parent.
        forced: See `Forced`.
    """
    backend, calls, open_calls = backend_of(module), Counter[str](), list[Any]()

    def enter(path: str, arguments: Any) -> None:
        if not trace.depth:
            open_calls.append((path, arguments, trace.tensors(arguments)))
        trace.depth += 1

    def leave(path: str, child: Any, output: Any) -> Any:
        trace.depth -= 1
        if trace.depth:
            return None
        _, arguments, given = open_calls.pop()
        with trace.unseen():
            output, changed = _exchanged(backend, output, forced(path, calls[path], given))
        calls[path] += 1
        trace.operations.append(
            Operation(type(child).__name__, None, arguments, given, trace.tensors(output), path)
        )
        return output if changed else None

    with ExitStack() as hooks:
        for path, child in backend.modules(module):
            if child is not module:
                hooks.callback(backend.before(child, partial(enter, path)))
                hooks.callback(backend.after(child, partial(leave, path, child)))
        yield


def _exchanged(backend: Backend, output: Any, values: Any) -> tuple[Any, bool]:
    new = {
        slot: backend.like(tensor, values[slot].copy())
        for slot, tensor in flatten(output, backend.is_tensor)
        if values and slot in values and values[slot].shape == tuple(tensor.shape)
    }
    return (rebuilt(output, backend.is_tensor, new), True) if new else (output, False)
