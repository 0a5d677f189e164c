"""A forward's operations computed again with some values exchanged: would that be right?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.compare import tensor_error
from parity.nested import flatten, rebuilt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from parity.functional.trace import Operation, Tensor, Trace

#: Where a value goes: an operation's place and the slot among its arguments; -1 is the return.
Use = tuple[int, str]
RETURN = -1
Values = Mapping[Use, np.ndarray]
EQUAL = 1e-10


@dataclass(frozen=True)
class Edit:
    """Values that take the place of paddle's own.

    Attributes:
        results: What an operation comes to instead, by its place.
        uses: What is handed over instead, by where it goes.
    """

    results: Mapping[int, np.ndarray] = field(default_factory=dict)
    uses: Mapping[Use, np.ndarray] = field(default_factory=dict)

    def __or__(self, other: Edit) -> Edit:
        """Do both."""
        return Edit({**self.results, **other.results}, {**self.uses, **other.uses})


@dataclass(frozen=True)
class Handed:
    """A value that leaves the forward: to a child, or to the caller.

    Attributes:
        place: Of the child's call among paddle's operations; -1 for the return.
        child: The child's path, '' for the caller.
        slot: Where it stands.
        wanted: Torch's.
        found: Paddle's.
    """

    place: int
    child: str
    slot: str
    wanted: np.ndarray
    found: np.ndarray

    @property
    def right(self) -> bool:
        """Whether both are equal."""
        return equal(self.wanted, self.found)


def equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two tensors hold the same values but for double precision's rounding."""
    if one.shape != other.shape or (one.dtype.kind == "b") != (other.dtype.kind == "b"):
        return False
    if not one.size:
        return True
    error = tensor_error(one, other).error
    bound = EQUAL if one.dtype == np.float64 else 2e-6
    return error is not None and error <= bound


def handed(ours: Trace, theirs: Trace, values: Values) -> list[Handed]:
    """Pair what both forwards hand over.

    Args:
        ours: Torch's forward.
        theirs: Paddle's.
        values: What is other in paddle's after an edit; see `computed`.
    """
    found: list[Handed] = []
    for path, calls in _by_child(theirs).items():
        for partner, (place, operation) in _partners(_by_child(ours).get(path, []), calls):
            found += _paired(place, path, partner.given, operation.given, values)
    found.sort(key=lambda one: one.place)
    return [*found, *_paired(RETURN, "", ours.returned, theirs.returned, values)]


Call = tuple[int, "Operation"]


def _by_child(trace: Trace) -> dict[str, list[Call]]:
    calls: dict[str, list[Call]] = {}
    for place, operation in enumerate(trace.operations):
        if operation.child:
            calls.setdefault(operation.child, []).append((place, operation))
    return calls


def _partners(ours: list[Call], theirs: list[Call]) -> Iterator[tuple[Operation, Call]]:
    """Pair the calls of one child: those that are given the same, then the others in order."""
    left, open_calls = [operation for _, operation in ours], list[Call]()
    for call in theirs:
        same = given_the_same(left, call[1].given)
        if same is None:
            open_calls.append(call)
        else:
            left.remove(same)
            yield same, call
    yield from zip(left, open_calls, strict=False)


def given_the_same(calls: Sequence[Operation], given: tuple[Tensor, ...]) -> Operation | None:
    """Find the first call that is given the same floating values; None if none is."""
    wanted = [tensor.array for tensor in given if tensor.array.dtype.kind == "f"]
    for call in calls:
        found = [tensor.array for tensor in call.given if tensor.array.dtype.kind == "f"]
        if wanted and len(found) == len(wanted) and all(map(equal, found, wanted)):
            return call
    return None


def _paired(
    place: int,
    child: str,
    ours: tuple[Tensor, ...],
    theirs: tuple[Tensor, ...],
    values: Values,
) -> Iterator[Handed]:
    found = {tensor.slot: tensor for tensor in theirs}
    if len(ours) == len(theirs) == 1:
        found = {ours[0].slot: theirs[0]}
    for tensor in ours:
        other = found.get(tensor.slot)
        if other is not None and tensor.array.dtype.kind != "b":
            value = values.get((place, other.slot), other.array)
            yield Handed(place, child, other.slot, tensor.array, value)


def computed(trace: Trace, edit: Edit) -> Values:
    """Compute again what an edit changes.

    Returns:
        The changed values by where they go, and results by '=' before their slot.

    Raises:
        Exception: An operation does not take the values.
    """
    backend = trace.backend
    changed: dict[int, Any] = {}
    found: dict[Use, np.ndarray] = {}
    ends = [*enumerate(trace.operations), (RETURN, None)]
    for place, operation in ends:
        given = trace.returned if operation is None else operation.given
        new = _new_arguments(trace, place, given, changed, edit)
        found |= {(place, slot): backend.view(tensor).copy() for slot, tensor in new.items()}
        if operation is None or operation.child:
            continue
        outputs = _outputs(trace, place, operation, new, edit)
        for tensor in operation.outputs:
            if outputs is None:
                changed.pop(tensor.identity, None)
            elif tensor.slot in outputs:
                changed[tensor.identity] = outputs[tensor.slot]
                new_value = backend.view(outputs[tensor.slot]).copy()
                found[place, f"={tensor.slot}"] = new_value
    return found


def _new_arguments(
    trace: Trace, place: int, given: tuple[Tensor, ...], changed: Mapping[int, Any], edit: Edit
) -> dict[str, Any]:
    new = {t.slot: changed[t.identity] for t in given if t.identity in changed}
    for tensor in given:
        if (place, tensor.slot) in edit.uses:
            array = edit.uses[place, tensor.slot]
            new[tensor.slot] = trace.backend.from_numpy(np.ascontiguousarray(array))
    return new


def _outputs(
    trace: Trace, place: int, operation: Operation, new: Mapping[str, Any], edit: Edit
) -> dict[str, Any] | None:
    """Give the tensors that an operation comes to; None: what it came to before."""
    backend = trace.backend
    if place in edit.results:
        value = backend.from_numpy(np.ascontiguousarray(edit.results[place]))
        return {operation.outputs[0].slot: value}
    if not new or operation.function is None:
        return None
    # In place or not: the arguments of the run must stay as they were.
    snapshot = {t.slot: backend.from_numpy(t.array.copy()) for t in operation.given}
    arguments = rebuilt(operation.arguments, backend.is_tensor, {**snapshot, **new})
    args, kwargs = arguments
    output = operation.function(*args, **kwargs)
    if output is None:
        output = args[0]
    return dict(flatten(output, backend.is_tensor))
