"""A parent's own forward: which of its operations does not do what torch's does?

Every hypothesis is an edit of paddle's operations: one comes to torch's value instead, one is left
out, one of torch's is put in. It is confirmed when the operations that follow, computed again, give
torch's values, and the operation in question had been given right ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from parity.causes.operations import canonical, cause_of, described
from parity.functional.replay import RETURN, Edit, Handed, equal, handed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parity.functional.trace import Operation, Trace

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


def explain(ours: Trace, theirs: Trace) -> list[Finding]:
    """Find the operations that make paddle's forward differ; empty if no edits mend it."""
    order = _order(ours, theirs)
    if order is not None:
        return [order]
    edit, findings = Edit(), list[Finding]()
    for _ in range(DEEPEST):
        state = handed(ours, theirs, edit)
        wrong = next((one for one in state if not one.right), None)
        if wrong is None:
            return merged(findings)
        step = _mended(ours, theirs, edit, wrong) or _mended_twice(ours, theirs, edit, wrong)
        if step is None:
            return []
        edit, more = step
        findings += more
    return []


def _order(ours: Trace, theirs: Trace) -> Finding | None:
    """Children that are called in another order, or in each other's place."""
    mine, others = (
        [operation for operation in trace.operations if operation.child] for trace in (ours, theirs)
    )
    paths, found = ([operation.child for operation in some] for some in (mine, others))
    if paths == found or sorted(paths) != sorted(found):
        return None
    places = [n for n, (a, b) in enumerate(zip(paths, found, strict=True)) if a != b]
    swapped = len(places) == 2 and mine[places[0]].name == mine[places[1]].name
    first = places[0]
    cause = "layer-exchanged" if swapped and len(paths) > 2 else "layer-order"
    return Finding(cause, others[first], mine[first])


def _mended(
    ours: Trace, theirs: Trace, edit: Edit, wrong: Handed
) -> tuple[Edit, list[Finding]] | None:
    before = {(one.place, one.slot) for one in handed(ours, theirs, edit) if one.right}
    for trial in _trials(ours, theirs, edit, wrong):
        both = edit | trial.edit
        try:
            after = handed(ours, theirs, both)
        except Exception:  # noqa: BLE001, S112 - values of such shapes do not go on from there
            continue
        right = {(one.place, one.slot) for one in after if one.right}
        if (wrong.place, wrong.slot) in right and before <= right:
            return both, [trial.finding]
    return None


def _mended_twice(
    ours: Trace, theirs: Trace, edit: Edit, wrong: Handed
) -> tuple[Edit, list[Finding]] | None:
    """Two operations of the same kind as torch's have to be mended before the value is right."""
    for trial in _trials(ours, theirs, edit, wrong):
        found, wanted = trial.finding.found, trial.finding.wanted
        if found is None or wanted is None or canonical(found) != canonical(wanted):
            continue
        second = _mended(ours, theirs, edit | trial.edit, wrong)
        if second is not None:
            return second[0], [trial.finding, *second[1]]
    return None


def _trials(ours: Trace, theirs: Trace, edit: Edit, wrong: Handed) -> Iterator[_Trial]:
    """Yield edits, those first that explain with the least."""
    values = _values(ours)
    suspects = [
        (place, operation)
        for place, operation in enumerate(theirs.operations)
        if place not in edit.results and _is_suspect(operation, values, wrong, place)
    ]
    missing = [one for one in ours.operations if not _reproduced(one, theirs, edit)]
    for same in (True, False):
        for place, found in suspects:
            for wanted in missing:
                if (canonical(found) == canonical(wanted)) is same:
                    yield from _substitution(ours, theirs, place, found, wanted)
            if same:
                yield from _deletion(theirs, place, found)
    for wanted in missing:
        yield from _insertion(theirs, wanted, wrong)


def _is_suspect(
    operation: Operation, values: list[np.ndarray], wrong: Handed, place: int
) -> bool:
    if operation.child or (wrong.place != RETURN and place > wrong.place):
        return False
    given = all(_known(tensor.array, values) for tensor in operation.given)
    return given and not all(_known(tensor.array, values) for tensor in operation.outputs)


def _values(trace: Trace) -> list[np.ndarray]:
    """List what torch's forward has at any time."""
    found = [tensor.array for tensor in trace.given]
    for operation in trace.operations:
        found += [tensor.array for tensor in (*operation.given, *operation.outputs)]
    return found


def _known(array: np.ndarray, values: list[np.ndarray]) -> bool:
    # Masks may mean their opposite, and constants are made as each framework likes.
    if array.dtype.kind == "b" or array.size == 1:
        return True
    return any(equal(value, array) for value in values) or bool(np.all(array == array.flat[0]))


def _reproduced(operation: Operation, theirs: Trace, edit: Edit) -> bool:
    found = [t.array for one in theirs.operations for t in (*one.given, *one.outputs)]
    found += [*edit.results.values(), *edit.uses.values()]
    return all(any(equal(t.array, value) for value in found) for t in operation.outputs)


def _substitution(
    ours: Trace, theirs: Trace, place: int, found: Operation, wanted: Operation
) -> Iterator[_Trial]:
    if len(wanted.outputs) == len(found.outputs) == 1:
        cause = cause_of(found, wanted, ours, theirs)
        yield _Trial(Edit({place: wanted.outputs[0].array}), Finding(cause, found, wanted))


def _deletion(theirs: Trace, place: int, found: Operation) -> Iterator[_Trial]:
    for tensor in found.given:
        if len(found.outputs) == 1 and tensor.array.shape == found.outputs[0].array.shape:
            cause = cause_of(found, None, theirs, theirs)
            yield _Trial(Edit({place: tensor.array}), Finding(cause, found, None))


def _insertion(theirs: Trace, wanted: Operation, wrong: Handed) -> Iterator[_Trial]:
    """Put an operation of torch's between a value that paddle has and those who use it."""
    if len(wanted.outputs) != 1:
        return
    cause = cause_of(None, wanted, theirs, theirs)
    finding = Finding(cause, None, wanted)
    for tensor in wanted.given:
        uses = [use for use, array in _uses(theirs, wrong) if equal(tensor.array, array)]
        for use in reversed(uses):
            yield _Trial(Edit(uses={use: wanted.outputs[0].array}), finding)
        if len(uses) > 1:
            yield _Trial(Edit(uses=dict.fromkeys(uses, wanted.outputs[0].array)), finding)


def _uses(theirs: Trace, wrong: Handed) -> Iterator[tuple[tuple[int, str], np.ndarray]]:
    for place, operation in enumerate(theirs.operations):
        if wrong.place == RETURN or place <= wrong.place:
            yield from (((place, t.slot), t.array) for t in operation.given)
    if wrong.place == RETURN:
        yield from (((RETURN, t.slot), t.array) for t in theirs.returned)


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
