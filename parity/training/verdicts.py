"""From the errors of a training's steps to verdicts: what a step does by itself decides.

Errors that accumulated may have grown beyond all bounds though every step is right: batch norms and
ReLUs amplify rounding. That they did is not assumed: torch, trained twice from weights one unit in
the last place apart, has to come as far from itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from parity.comparison import StepResult, TensorComparison
from parity.precision import TOLERANCE_STEP, TOLERANCE_TRAINING, State, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from parity.backends import FloatType
    from parity.comparison import Kind
    from parity.training.measured import Measured
    from parity.training.run import Step, Trained
    from parity.training.sensitivity import Sensitivity

#: Paddle may come this much further from torch than torch from itself: all its steps round in
#: another way, the twin of torch was moved once. Trainings of STDC2-Seg show up to 90.
FURTHER = 1e3
#: Where errors are of the size of the values they no longer grow.
GROWN = 1e-3


@dataclass(frozen=True)
class Tolerances:
    """Bounds of the errors of a training.

    Attributes:
        single: Of the float32 errors.
        whole: Of the float64 errors that accumulated.
        own: Of the float64 errors of one step alone.
    """

    single: float
    whole: float = TOLERANCE_TRAINING
    own: float = TOLERANCE_STEP


def accumulated(runs: Mapping[FloatType, Trained], tolerances: Tolerances) -> bool:
    """Tell whether errors came beyond their bound: whether torch's own drift is to be asked."""
    dtype = deciding(runs)
    bound = tolerances.whole if dtype == "float64" else tolerances.single
    errors = (one.error for step in runs[dtype].steps for one in step.whole)
    return any(error.error is not None and error.error > bound for error in errors)


def deciding(runs: Mapping[FloatType, Trained]) -> FloatType:
    """Give the precision that decides: float64 where it was run."""
    return "float64" if "float64" in runs else "float32"


def judged_steps(
    runs: Mapping[FloatType, Trained],
    drift: Sequence[Sensitivity],
    tolerances: Tolerances,
) -> tuple[tuple[StepResult, ...], tuple[str, ...]]:
    """Give the verdict on every tensor after every step.

    Args:
        runs: One training a precision.
        drift: How far torch is from itself after each step, in the precision that decides; empty
            where nobody asked.
        tolerances: Bounds of the errors.

    Returns:
        The steps, and what is to be known.
    """
    some = runs[deciding(runs)]
    results = tuple(
        StepResult(number, tuple(_Judge(runs, drift, tolerances, number).tensors()))
        for number in range(len(some.steps))
    )
    notes = dict.fromkeys(note for run in runs.values() for note in run.notes)
    return results, (*notes, *_biased(results), *_grown(results))


@dataclass(frozen=True)
class _Judge:
    """Puts the errors of one step together."""

    runs: Mapping[FloatType, Trained]
    drift: Sequence[Sensitivity]
    tolerances: Tolerances
    number: int

    def tensors(self) -> Iterator[TensorComparison]:
        """Give the verdict on each tensor."""
        steps = {dtype: run.steps[self.number] for dtype, run in self.runs.items()}
        single, double = (_by_key(steps.get(dtype)) for dtype in ("float32", "float64"))
        for key in double or single:
            yield self._tensor(key, single.get(key), double.get(key))

    def _tensor(
        self, key: tuple[Kind, str], single: _Both | None, double: _Both | None
    ) -> TensorComparison:
        some = double or single
        assert some is not None  # noqa: S101 - it was measured in one of the two
        own32, own64 = (side.own.error if side else None for side in (single, double))
        own = judge(own32, own64, tol=self.tolerances.single, tol64=self.tolerances.own)
        found = TensorComparison(
            some.own.name,
            some.own.kind,
            some.own.shape,
            single.whole.error if single else None,
            double.whole.error if double else None,
            own,
            own32,
            own64,
            own.state,
            self._drift().get(key),
        )
        verdict = self._verdict(found)
        told = "; ".join(filter(None, (verdict.reason, some.own.remark)))
        return replace(found, verdict=Verdict(verdict.state, told))

    def _drift(self) -> Sensitivity:
        return self.drift[self.number] if self.drift else {}

    def _verdict(self, found: TensorComparison) -> Verdict:
        if not found.state.passes:
            return found.verdict
        bounds = self.tolerances
        whole = judge(found.single, found.double, tol=bounds.single, tol64=bounds.whole)
        if whole.state is State.MISMATCH:
            return self._explained(found, whole)
        return found.verdict if whole.state is State.MATCH else whole

    def _explained(self, found: TensorComparison, whole: Verdict) -> Verdict:
        """Hold what accumulated against how far torch is from itself by then."""
        error, own = _error(found), _own_error(found)
        alike = [x for (kind, _), x in self._drift().items() if kind == found.kind]
        furthest = max(alike, default=0.0)
        if error is None or own is None:
            return whole
        told = (
            f"accumulated {error:.1e}, this step alone {own:.1e}; torch itself, trained from "
            f"weights one unit in the last place away, is {furthest:.1e} from itself by then"
        )
        if error <= FURTHER * furthest:
            return Verdict(State.ROUNDING, f"amplified rounding: {told}")
        return Verdict(State.MISMATCH, f"more than rounding amplified: {told}")


@dataclass(frozen=True)
class _Both:
    """A tensor's accumulated error, and that of its step alone."""

    whole: Measured
    own: Measured


def _by_key(step: Step | None) -> dict[tuple[Kind, str], _Both]:
    if step is None:
        return {}
    whole = {one.key: one for one in step.whole}
    return {one.key: _Both(whole.get(one.key, one), one) for one in step.own}


def _biased(steps: Sequence[StepResult]) -> list[str]:
    """Tell of the running variances that are Paddle's biased ones."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for tensor in steps[-1].of_kind("buffer") if steps else ():
        if "n/(n − 1)" in tensor.reason and tensor.state is not State.MISMATCH:
            found[tensor.reason.rpartition("here ")[2]].append(tensor.name)
    return [
        f"biased running variances, equal to torch's unbiased ones after n/(n − 1) = {share}: "
        f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
        for share, names in found.items()
    ]


def _grown(steps: Sequence[StepResult]) -> list[str]:
    """Tell how fast errors accumulated, where torch's own drift was asked for."""
    largest = [_largest(step, _error) for step in steps]
    apart = [_largest(step, lambda x: x.sensitivity) for step in steps]
    if not any(apart):
        return []
    last = next((n for n, error in enumerate(largest) if error > GROWN), len(steps) - 1)
    growth = (largest[last] / largest[0]) ** (1 / last) if last and largest[0] else 1.0
    own = max(_largest(step, _own_error) for step in steps)
    said = (
        f"training amplifies rounding: parameters and buffers are {largest[0]:.1e} apart after "
        f"step 0, ×{growth:.2g} a step, {largest[-1]:.1e} at the end; torch itself, trained from "
        f"weights one unit in the last place away, is {apart[-1]:.1e} from itself by then; each "
        f"step alone, started from torch's state, agrees to {own:.1e}"
    )
    return [said]


def _error(tensor: TensorComparison) -> float | None:
    return tensor.error64 if tensor.double else tensor.error32


def _own_error(tensor: TensorComparison) -> float | None:
    return tensor.own64 if tensor.double else tensor.own32


def _largest(step: StepResult, of: Callable[[TensorComparison], float | None]) -> float:
    tensors = (*step.of_kind("parameter"), *step.of_kind("buffer"))
    return max((error for error in map(of, tensors) if error is not None), default=0.0)
