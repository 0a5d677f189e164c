"""A parent's own forward: which of its operations does not do what torch's does?

Every hypothesis is an edit of paddle's operations: one comes to torch's value instead, one is left
out, one of torch's is put in. It is confirmed when the operations that follow, computed again, give
torch's values, and the operation in question had been given right ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from parity.causes.operations import FAMILIES, SHAPES, SOFTMAXES, canonical, cause_of, described
from parity.functional.replay import RETURN, Edit, Handed, computed, equal, handed

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from parity.functional.trace import Operation, Tensor, Trace

#: An own forward may go wrong in several places; more than these are not searched for.
DEEPEST = 4


@dataclass(frozen=True)
class Finding:
    """One operation that is not torch's.

    Attributes:
        cause: Its name.
        found: Paddle's operation; None where paddle lacks one.
        wanted: Torch's operation; None where paddle has one too many.
    """

    cause: str
    found: Operation | None
    wanted: Operation | None

    @property
    def mend(self) -> str:
        """What to write instead."""
        if self.wanted is None:
            return f"leave out {described(self.found)}"
        instead = f" instead of {described(self.found)}" if self.found else ""
        return f"compute torch's {described(self.wanted)} here{instead}"

    def __str__(self) -> str:
        """Say what it is."""
        if self.wanted is None:
            return f"paddle has {described(self.found)}, torch has nothing there"
        if self.found is None:
            return f"torch has {described(self.wanted)}, paddle has nothing there"
        return f"paddle has {described(self.found)}, torch has {described(self.wanted)}"


@dataclass(frozen=True)
class _Trial:
    edit: Edit
    finding: Finding


class _State:
    """Paddle's forward under an edit, beside torch's."""

    def __init__(self, ours: Trace, theirs: Trace, edit: Edit) -> None:
        """Compute it; an edit whose values do not go on from there raises."""
        self.ours, self.theirs, self.edit = ours, theirs, edit
        self.values = computed(theirs, edit)
        self.handed = handed(ours, theirs, self.values)

    @property
    def wrong(self) -> Handed | None:
        """The first value that is handed over and wrong."""
        return next((one for one in self.handed if not one.right), None)

    def right(self) -> set[tuple[int, str]]:
        """Where what is handed over is right."""
        return {(one.place, one.slot) for one in self.handed if one.right}

    def given(self, place: int, operation: Operation) -> list[np.ndarray]:
        """List what an operation is given now."""
        return [self.values.get((place, t.slot), t.array) for t in operation.given]

    def outputs(self, place: int, operation: Operation) -> list[np.ndarray]:
        """List what an operation comes to now."""
        return [self.values.get((place, f"={t.slot}"), t.array) for t in operation.outputs]

    def everything(self, end: int) -> list[np.ndarray]:
        """List all values of paddle's forward before a place."""
        found = [t.array for t in self.theirs.given]
        operations = self.theirs.operations if end == RETURN else self.theirs.operations[:end]
        for place, operation in enumerate(operations):
            found += self.given(place, operation) + self.outputs(place, operation)
        return found


def explain(ours: Trace, theirs: Trace) -> list[Finding]:
    """Find the operations that make paddle's forward differ; empty if no edits mend it."""
    state, findings = _State(ours, theirs, Edit()), list[Finding]()
    for _ in range(DEEPEST):
        if state.wrong is None:
            return merged(findings)
        step = _mended(state) or _mended_deeply(state, DEEPEST - 1)
        if step is None:
            return []
        state, more = step
        findings += more
    return merged(findings) if state.wrong is None else []


@dataclass(frozen=True)
class Order:
    """Children that are called in each other's places.

    Attributes:
        finding: The first of them.
        places: Whose place each has, by path.
        certain: The first of them is given what torch gives another one there, and not its own.
    """

    finding: Finding
    places: Mapping[str, str]
    certain: bool


def order(ours: Trace, theirs: Trace) -> Order | None:
    """Find children that are called in another order, or in each other's places.

    None where all of them are given what torch gives them: then the order is of no account.
    """
    mine, others = (
        [operation for operation in trace.operations if operation.child] for trace in (ours, theirs)
    )
    paths, found = ([operation.child for operation in some] for some in (mine, others))
    if paths == found or sorted(paths) != sorted(found):
        return None
    if all(one.right for one in handed(ours, theirs, {}) if one.child):
        return None
    wrong = [n for n, (a, b) in enumerate(zip(paths, found, strict=True)) if a != b]
    first = wrong[0]
    alike = mine[first].name == others[first].name
    listed = paths[first].rpartition(".")[2].isdecimal()
    cause = "layer-exchanged" if len(wrong) == 2 and alike and not listed else "layer-order"
    own = mine[paths.index(found[first])]
    certain = _same_values(mine[first], others[first]) and not _same_values(own, others[first])
    finding = Finding(cause, others[first], mine[first])
    return Order(finding, dict(zip(found, paths, strict=True)), certain)


def _same_values(one: Operation, other: Operation) -> bool:
    values = ([t.array for t in call.given if t.array.dtype.kind != "b"] for call in (one, other))
    ours, theirs = values
    return len(ours) == len(theirs) and all(map(equal, ours, theirs))


def _mended(state: _State) -> tuple[_State, list[Finding]] | None:
    before, wrong = state.right(), state.wrong
    assert wrong is not None  # noqa: S101 - the caller looked
    for trial in _trials(state, wrong):
        after = _after(state, trial)
        if after is not None and before | {(wrong.place, wrong.slot)} <= after.right():
            return after, [trial.finding]
    return None


def _after(state: _State, trial: _Trial) -> _State | None:
    try:
        return _State(state.ours, state.theirs, state.edit | trial.edit)
    except Exception:  # noqa: BLE001 - values of such a shape do not go on from there
        return None


def _mended_deeply(state: _State, depth: int) -> tuple[_State, list[Finding]] | None:
    """Several operations that differ from torch's have to be mended before the value is right."""
    assert state.wrong is not None  # noqa: S101 - the caller looked
    for trial in _certain(state, state.wrong):
        after = _after(state, trial)
        if after is None or after.wrong is None:
            continue
        rest = _mended(after) or (_mended_deeply(after, depth - 1) if depth > 1 else None)
        if rest is not None:
            return rest[0], [trial.finding, *rest[1]]
    return None


def _certain(state: _State, wrong: Handed) -> Iterator[_Trial]:
    """Yield substitutions of operations that are given the same values as torch's."""
    suspects, missing = _suspects(state, wrong), _missing(state, wrong)
    for place, found in suspects:
        for wanted in missing:
            if _family(found) == _family(wanted) and _same_given(state, place, found, wanted):
                yield _substitution(state, place, found, wanted)


def _family(operation: Operation) -> str:
    name = canonical(operation)
    return next((kind for kind, names in FAMILIES.items() if name in names), name)


def _suspects(state: _State, wrong: Handed) -> list[tuple[int, Operation]]:
    right = _values(state.ours)
    return [
        (place, operation)
        for place, operation in enumerate(state.theirs.operations)
        if _is_suspect(state, place, operation, right, wrong)
    ]


def _missing(state: _State, wrong: Handed) -> list[Operation]:
    ours = state.everything(wrong.place)
    single = (one for one in state.ours.operations if len(one.outputs) == 1)
    return [
        one
        for one in single
        if equal(one.outputs[0].array, wrong.wanted) or not _among(one.outputs[0].array, ours)
    ]


def _trials(state: _State, wrong: Handed) -> Iterator[_Trial]:
    """Yield edits, those first that explain with the least."""
    suspects, missing = _suspects(state, wrong), _missing(state, wrong)
    ours = state.everything(wrong.place)
    sure = state.ours.constants
    ready = [w for w in missing if all(_known(t, t.array, ours, sure) for t in w.given)]
    yield from _certain(state, wrong)
    for place, found in suspects:
        yield from _deletion(state, place, found)
    right = _values(state.ours)
    # What torch computes as well is no mistake by itself: rather is something missing behind it.
    apart = [one for one in suspects if not _among(state.outputs(*one)[0], right)]
    for place, found in apart:
        for wanted in ready:
            if wanted.given and not wanted.child and _family(found) != _family(wanted):
                yield _substitution(state, place, found, wanted)
    for wanted in ready:
        yield from _insertion(state, wanted, wrong)
    for place, found in suspects:
        for wanted in missing:
            if not wanted.child:
                yield _substitution(state, place, found, wanted)


def _same_given(state: _State, place: int, found: Operation, wanted: Operation) -> bool:
    """Whether both are given the same values, in whatever order."""
    theirs = state.given(place, found)
    given = _origin(state.ours, wanted) if canonical(found) in SHAPES else wanted.given
    given = tuple(t for t in given if t.identity not in state.ours.constants)
    values = [t.array for t in given if t.array.dtype.kind != "b" and t.array.size > 1]
    return all(_among(array, theirs) for array in values)


def _origin(trace: Trace, operation: Operation) -> tuple[Tensor, ...]:
    """Give what a chain of reshapes and transpositions started from."""
    for earlier in reversed(trace.operations[: trace.operations.index(operation)]):
        made = {tensor.identity for tensor in earlier.outputs}
        if made & {tensor.identity for tensor in operation.given}:
            return _origin(trace, earlier) if canonical(earlier) in SHAPES else operation.given
    return operation.given


def _is_suspect(
    state: _State, place: int, operation: Operation, right: list[np.ndarray], wrong: Handed
) -> bool:
    late = wrong.place != RETURN and place > wrong.place
    if operation.child or late or len(operation.outputs) != 1 or place in state.edit.results:
        return False
    pairs = zip(operation.given, state.given(place, operation), strict=True)
    given = all(_known(t, array, right, state.theirs.constants) for t, array in pairs)
    output = state.outputs(place, operation)[0]
    return given and (equal(output, wrong.found) or not _among(output, right))


def _values(trace: Trace) -> list[np.ndarray]:
    """List what torch's forward has at any time."""
    found = [tensor.array for tensor in trace.given]
    for operation in trace.operations:
        found += [tensor.array for tensor in (*operation.given, *operation.outputs)]
    return found


def _known(
    tensor: Tensor, array: np.ndarray, values: list[np.ndarray], constants: Container[int]
) -> bool:
    # Masks may mean their opposite, and constants are made as each framework likes.
    if array.dtype.kind == "b" or array.size <= 1 or tensor.identity in constants:
        return True
    return _among(array, values)


def _among(array: np.ndarray, values: list[np.ndarray]) -> bool:
    return any(equal(value, array) for value in values)


def _substitution(state: _State, place: int, found: Operation, wanted: Operation) -> _Trial:
    cause = cause_of(found, wanted, state.theirs, state.given(place, found))
    return _Trial(Edit({place: wanted.outputs[0].array}), Finding(cause, found, wanted))


def _deletion(state: _State, place: int, found: Operation) -> Iterator[_Trial]:
    finding = Finding(cause_of(found, None, state.theirs), found, None)
    shape = found.outputs[0].array.shape
    for array in state.given(place, found):
        if array.shape == shape:
            yield _Trial(Edit({place: array}), finding)


def _insertion(state: _State, wanted: Operation, wrong: Handed) -> Iterator[_Trial]:
    """Put an operation of torch's between a value that paddle has and those who use it."""
    finding = Finding(cause_of(None, wanted, state.theirs), None, wanted)
    new = wanted.outputs[0].array
    for tensor in wanted.given:
        uses = [use for use, array in _uses(state, wrong) if equal(tensor.array, array)]
        if finding.cause == "reshape-order" and _into_softmax(state, uses):
            finding = replace(finding, cause="softmax-axis")
        for use in reversed(uses):
            yield _Trial(Edit(uses={use: new}), finding)
        if len(uses) > 1:
            yield _Trial(Edit(uses=dict.fromkeys(uses, new)), finding)


def _into_softmax(state: _State, uses: list[tuple[int, str]]) -> bool:
    users = [state.theirs.operations[place] for place, _ in uses if place != RETURN]
    return bool(users) and canonical(users[-1]) in SOFTMAXES


def _uses(state: _State, wrong: Handed) -> Iterator[tuple[tuple[int, str], np.ndarray]]:
    theirs, values = state.theirs, state.values
    for place, operation in enumerate(theirs.operations):
        if wrong.place == RETURN or place <= wrong.place:
            yield from (
                ((place, t.slot), values.get((place, t.slot), t.array)) for t in operation.given
            )
    if wrong.place == RETURN:
        for t in theirs.returned:
            yield (RETURN, t.slot), values.get((RETURN, t.slot), t.array)


def merged(findings: list[Finding]) -> list[Finding]:
    """Take an operation that is missing here and stands there for one in another order."""
    for one in findings:
        for other in findings:
            if one.wanted is None and other.found is None:
                assert one.found is not None and other.wanted is not None  # noqa: S101, PT018
                if canonical(one.found) == canonical(other.wanted):
                    rest = [f for f in findings if f is not one and f is not other]
                    return [Finding("layer-order", one.found, other.wanted), *rest]
    return findings
