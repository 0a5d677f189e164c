"""Whose fault is it? From the numbers of forced runs to the errors of each call's own.

A call is at fault by itself if it was given right values and returned wrong ones. Its parent is, if
it handed over wrong values and nothing before had gone wrong: they come from the parent's own
forward, a concatenation or a functional resize. Handing over other values is no fault as long as
the child's result is right; a mask may mean its opposite in the other framework.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from parity.assemble import judged
from parity.layer_result import Between, TensorResult
from parity.precision import State, Verdict

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from parity.forced import ForcedCall
    from parity.record import CallKey

    Run = Mapping[CallKey, ForcedCall]


@dataclass(frozen=True)
class Blame:
    """What each call does wrong by itself.

    Attributes:
        own: See `parity.layer_result.LayerResult.own`, for every call.
        between: See `parity.layer_result.LayerResult.between`, for the calls whose forward is at
            fault.
        faults: The calls at fault, in the order in which their faults arose.
        deceived: Calls that were given wrong values by a parent at fault. Only if they run on
            torch's values can their own errors be told.
    """

    own: Mapping[CallKey, tuple[TensorResult, ...]]
    between: Mapping[CallKey, Between]
    faults: tuple[CallKey, ...]
    deceived: frozenset[CallKey]


@dataclass
class _Case:
    """One call: the evidence, then what was made of it.

    Attributes:
        call: What was measured.
        given: The verdicts on what it was given.
        outputs: The verdicts on what it returned.
        freed: It ran on torch's values all the same.
        misled: It was given wrong values, and it or a call inside it came to a wrong result.
        handed: What its own forward handed over wrongly.
        inherited: Why its wrong outputs are not its own, '' if they are.
        between: Where its own forward went wrong first.
        since: When that was, None if it did nothing wrong.
    """

    call: ForcedCall
    given: tuple[TensorResult, ...]
    outputs: tuple[TensorResult, ...]
    freed: bool
    misled: bool = False
    handed: list[TensorResult] = field(default_factory=list)
    inherited: str = ""
    between: Between | None = None
    since: int | None = None

    @property
    def own(self) -> tuple[TensorResult, ...]:
        """What it does wrong by itself."""
        outputs = (_inherited(t, self.inherited) if self.inherited else t for t in self.outputs)
        return (*outputs, *self.handed)

    def accuse(self, place: int, between: Between | None) -> None:
        """Put a fault down to its own forward; the first one counts."""
        if self.since is None:
            self.since, self.between = place, between


def blame(
    single: Run, double: Run, *, freed: Container[CallKey], tol: float, tol64: float
) -> Blame:
    """Tell every call's own errors from those it inherited.

    Args:
        single: The forced run in float32; empty if there was none.
        double: The same in float64.
        freed: The calls that got torch's values for what they are given.
        tol: Bound of the float32 error.
        tol64: Bound of the float64 error.
    """
    cases = [
        _case(single.get(key), double.get(key), key in freed, tol=tol, tol64=tol64)
        for key in (double or single)
    ]
    cases.sort(key=lambda case: case.call.start)
    children: dict[CallKey | None, list[_Case]] = {}
    for case in cases:
        children.setdefault(case.call.parent, []).append(case)
    for case in reversed(cases):
        inner = any(child.misled for child in children.get(case.call.key, []))
        case.misled = _wrong(case.given) and (case.freed or inner or _wrong(case.outputs))
    deceived = [child for case in cases for child in _settle(case, children.get(case.call.key, []))]
    guilty = sorted((case.since, case.call.key) for case in cases if case.since is not None)
    return Blame(
        own={case.call.key: case.own for case in cases},
        between={case.call.key: case.between for case in cases if case.between},
        faults=tuple(key for _, key in guilty),
        deceived=frozenset(deceived),
    )


def _case(
    single: ForcedCall | None,
    double: ForcedCall | None,
    freed: bool,
    *,
    tol: float,
    tol64: float,
) -> _Case:
    call = double or single
    assert call is not None  # noqa: S101 - it ran in one of the two
    given, outputs = (
        judged(
            *(getattr(run, part) if run else {} for run in (single, double)), tol=tol, tol64=tol64
        )
        for part in ("given", "outputs")
    )
    return _Case(call, given, outputs, freed)


def _settle(case: _Case, children: list[_Case]) -> list[CallKey]:
    """Judge one call, its parent being settled already; give the children that it deceived."""
    deceived, last, stuck = [], None, ""
    innocent = bool(case.inherited)
    for child in children:
        if child.misled and not (innocent or stuck):
            case.accuse(child.call.start, Between(last, child.call.key))
            case.handed += [_handed(tensor, child.call.key) for tensor in child.given]
            if not child.call.given_stuck:
                deceived.append(child.call.key)
        if child.misled and not child.freed:
            child.inherited = stuck or "what it was given is wrong already"
        last = child.call.key
        if child.call.stuck:
            stuck = f"what {child.call.key[0]} returned cannot be exchanged: {child.call.stuck}"
    case.inherited = case.inherited or stuck
    if _wrong(case.outputs) and not case.inherited:
        case.accuse(case.call.end, Between(last, None) if last else None)
    return deceived


def _wrong(tensors: tuple[TensorResult, ...]) -> bool:
    return any(tensor.verdict.state is State.MISMATCH for tensor in tensors)


def _handed(tensor: TensorResult, child: CallKey) -> TensorResult:
    name = f"{child[0]} (call {child[1]})" if child[1] else child[0]
    return replace(tensor, slot=f"handed to {name}, {tensor.slot}")


def _inherited(tensor: TensorResult, why: str) -> TensorResult:
    if tensor.verdict.state is not State.MISMATCH:
        return tensor
    verdict = Verdict(State.NOT_COMPARED, f"inherited: {why}")
    return TensorResult(tensor.slot, tensor.shape, None, None, verdict)
