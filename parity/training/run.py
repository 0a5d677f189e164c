"""Steps of both networks in one precision: torch's, and paddle's beside it in two ways.

Paddle's side trains on by itself, so that errors accumulate as they do for a user; a copy of it
starts every step anew from torch's state, so that each step's own error stands beside that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from parity.parameters import partners, partners_by_name
from parity.precision import TOLERANCE_STEP, TOLERANCE_TRAINING
from parity.progress import tell
from parity.source import copy_as
from parity.training.measure import Measurer
from parity.training.restart import Restart
from parity.training.side import is_network, paddle_side, torch_side
from parity.training.statistics import BiasedVariances

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from parity.backends import FloatType
    from parity.parameters import Partners
    from parity.training.measured import Measured
    from parity.training.plan import Training
    from parity.training.side import Side
    from parity.weights import Keys

#: Steps that are made unless somebody says otherwise.
STEPS = 10


@dataclass(frozen=True)
class Step:
    """One step in one precision.

    Attributes:
        whole: Errors that have accumulated since the start.
        own: Errors of this step alone, started from torch's state.
    """

    whole: tuple[Measured, ...]
    own: tuple[Measured, ...]


@dataclass(frozen=True)
class Trained:
    """Both networks trained in one precision.

    Attributes:
        steps: What was measured after each.
        notes: What is to be known.
    """

    steps: tuple[Step, ...]
    notes: tuple[str, ...]


def train(
    networks: tuple[Any, Any],
    training: Training,
    dtype: FloatType,
    *,
    keys: Keys,
    steps: int,
    tol: float,
) -> Trained:
    """Train two networks, and compare them after each step.

    Args:
        networks: A torch Module and a paddle Layer of one's own, in the precision, with the same
            weights.
        training: What is done with them.
        dtype: The precision.
        keys: How torch's keys become paddle's.
        steps: How many.
        tol: Float32 errors up to here are equality.

    Raises:
        NetworkError: A network, a loss or an optimizer raised.
    """
    ours = torch_side(networks[0], training, dtype)
    followers, notes = _followers(ours, networks[1], training, keys, tol)
    try:
        found = tuple(_steps(ours, followers, training, steps))
    finally:
        for follower in followers:
            follower.variances.close()
    sides = (ours, *(follower.side for follower in followers))
    floors = [f"training: {floor}" for side in sides for floor in side.floors.values()]
    return Trained(found, tuple(dict.fromkeys((*notes, *floors))))


def _followers(
    ours: Side, network: Any, training: Training, keys: Keys, tol: float
) -> tuple[tuple[_Follower, _Follower], tuple[str, ...]]:
    """Make paddle's side that trains on by itself, and the one that starts each step anew."""
    double = ours.dtype == "float64"
    bounds = (TOLERANCE_TRAINING, TOLERANCE_STEP) if double else (tol, tol)
    whole, own = (
        paddle_side(one, training, ours.dtype) for one in (network, copy_as(network, ours.dtype))
    )
    (pairs, notes), (own_pairs, _) = _paired(ours, whole, keys), _paired(ours, own, keys)
    alone = _Follower(ours, own, own_pairs, bounds[1], restarts=True)
    return (_Follower(ours, whole, pairs, bounds[0]), alone), notes


def _steps(
    ours: Side, followers: tuple[_Follower, _Follower], training: Training, steps: int
) -> Iterator[Step]:
    for number in range(steps):
        tell(f"step {number + 1} of {steps}")
        batch = training.batches[number % len(training.batches)]
        for follower in followers:
            follower.begin()
        losses = ours.step(number, batch)
        whole, own = (follower.follow(number, batch, losses) for follower in followers)
        yield Step(whole, own)


def _paired(ours: Side, theirs: Side, keys: Keys) -> tuple[tuple[Partners, ...], tuple[str, ...]]:
    """Pair what two sides train, the losses' parameters included."""
    pairs, notes = partners(ours.network, theirs.network, keys)
    if not (is_network(ours.loss) and is_network(theirs.loss)):
        return pairs, notes
    losses = partners_by_name(ours.loss, theirs.loss)
    return (*pairs, *(replace(pair, name=f"loss.{pair.name}") for pair in losses)), notes


class _Follower:
    """A side of paddle's that makes torch's steps after it, and is compared with it."""

    def __init__(
        self,
        ours: Side,
        side: Side,
        pairs: tuple[Partners, ...],
        bound: float,
        *,
        restarts: bool = False,
    ) -> None:
        self.variances = BiasedVariances(ours.network)
        self.side = side
        self._measurer = Measurer(ours, side, pairs, self.variances, bound)
        self._restart = Restart(ours, side, pairs) if restarts else None

    def begin(self) -> None:
        """Get ready for a step, before torch makes it."""
        if self._restart is not None:
            self._restart()
            self.variances.restart()
        self._measurer.begin()

    def follow(
        self, number: int, batch: tuple[Any, ...], losses: dict[str, np.ndarray]
    ) -> tuple[Measured, ...]:
        """Make a step, and measure it against torch's."""
        return tuple(self._measurer.step(losses, self.side.step(number, batch)))
