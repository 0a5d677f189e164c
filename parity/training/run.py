"""Steps of both networks in one precision after the other, and the verdicts on them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parity.comparison import StepResult, TensorComparison
from parity.masks import same_masks
from parity.parameters import partners, partners_by_name
from parity.precision import State, Verdict, judge
from parity.training.measure import Measured, Measurer
from parity.training.side import Side, is_network
from parity.training.statistics import BiasedVariances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from parity.backends import FloatType
    from parity.training.plan import Training
    from parity.weights import Keys

#: Steps that are made unless somebody says otherwise.
STEPS = 10


@dataclass(frozen=True)
class Trained:
    """Both networks trained in one precision.

    Attributes:
        steps: What was measured after each.
        notes: What is to be known.
    """

    steps: tuple[tuple[Measured, ...], ...]
    notes: tuple[str, ...]


def train(
    networks: tuple[Any, Any],
    training: Training,
    dtype: FloatType,
    *,
    keys: Keys,
    steps: int,
    bound: float,
) -> Trained:
    """Train two networks, and compare them after each step.

    Args:
        networks: A torch Module and a paddle Layer of one's own, in the precision, with the same
            weights.
        training: What is done with them.
        dtype: The precision.
        keys: How torch's keys become paddle's.
        steps: How many.
        bound: Errors up to here are equality.

    Raises:
        NetworkError: A network, a loss or an optimizer raised.
    """
    ours = Side(
        networks[0],
        training.torch_loss,
        dtype,
        training.torch_optimizer,
        training.torch_schedule,
        training.torch_prepare,
    )
    theirs = Side(
        networks[1],
        training.paddle_loss,
        dtype,
        training.paddle_optimizer,
        training.paddle_schedule,
        training.paddle_prepare,
    )
    pairs, notes = partners(*networks, keys)
    both = {"": pairs}
    if is_network(ours.loss) and is_network(theirs.loss):
        both["loss."] = partners_by_name(ours.loss, theirs.loss)
    variances = BiasedVariances(networks[0])
    try:
        measurer = Measurer(ours, theirs, both, variances, bound)
        found = []
        for number in range(steps):
            batch = training.batches[number % len(training.batches)]
            with same_masks(number):
                losses = ours.step(number, batch), theirs.step(number, batch)
            found.append(tuple(measurer.step(*losses)))
    finally:
        variances.close()
    floors = [*ours.floors.values(), *theirs.floors.values()]
    return Trained(tuple(found), (*notes, *(f"training: {floor}" for floor in floors)))


def judged_steps(
    runs: Mapping[FloatType, Trained], *, tol: float, tol64: float
) -> tuple[tuple[StepResult, ...], tuple[str, ...]]:
    """Give the verdict on every tensor after every step.

    Args:
        runs: One training a precision.
        tol: Bound of the float32 error.
        tol64: Bound of the float64 error.

    Returns:
        The steps, and what is to be known.
    """
    some = next(iter(runs.values()))
    results = tuple(
        _step(number, {dtype: run.steps[number] for dtype, run in runs.items()}, tol, tol64)
        for number in range(len(some.steps))
    )
    notes = dict.fromkeys(note for run in runs.values() for note in run.notes)
    return results, (*notes, *_biased(results))


def _step(
    number: int, runs: Mapping[FloatType, Sequence[Measured]], tol: float, tol64: float
) -> StepResult:
    found = {dtype: {one.key: one for one in measured} for dtype, measured in runs.items()}
    single, double = found.get("float32", {}), found.get("float64", {})
    return StepResult(
        number,
        tuple(
            _comparison(single.get(key), double.get(key), tol, tol64) for key in double or single
        ),
    )


def _comparison(
    single: Measured | None, double: Measured | None, tol: float, tol64: float
) -> TensorComparison:
    some = double or single
    assert some is not None  # noqa: S101 - it was measured in one of the two
    in32, in64 = (one.error if one else None for one in (single, double))
    verdict = judge(in32, in64, tol=tol, tol64=tol64)
    reason = "; ".join(filter(None, (verdict.reason, some.remark)))
    return TensorComparison(
        some.name, some.kind, some.shape, in32, in64, Verdict(verdict.state, reason)
    )


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
