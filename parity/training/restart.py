"""Each step alone: paddle's side starts it from torch's parameters, buffers and optimizer state.

What it then gets wrong is this step's own. A training repeats its steps on what they computed, and
may amplify a difference a hundredfold each time: without the restart, ten correct steps cannot be
told from one wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parity.backends import backend_of
from parity.backends.autograd import autograd_of
from parity.training.states import row_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parity.parameters import Partners
    from parity.training.side import Side


@dataclass(frozen=True)
class Restart:
    """Writes one side's state over the other's; called before each step.

    Attributes:
        ours: Torch's side, only read.
        theirs: Paddle's. What torch does not have, its counters of steps say, it keeps.
        pairs: Their parameters and buffers.
    """

    ours: Side
    theirs: Side
    pairs: Sequence[Partners]

    def __call__(self) -> None:
        """Write the state as it is now."""
        backend, started = backend_of(self.theirs.network), self.theirs.optimizer is not None
        for pair in self.pairs:
            values = pair.values
            for way in pair.ways:
                for carried, target in zip(way.carried(values), way.targets, strict=True):
                    backend.overwrite(target, carried)
            # Where paddle does not tie what torch ties, torch's state is a sum that cannot be
            # parted: paddle's own stay.
            if started and not pair.buffer and len(pair.ways) == 1:
                self._states(pair)

    def _states(self, pair: Partners) -> None:
        torch, paddle = autograd_of(self.ours.network), autograd_of(self.theirs.network)
        ours, theirs = backend_of(self.ours.network), backend_of(self.theirs.network)
        (way,), values = pair.ways, pair.values
        kept = [paddle.states(self.theirs.optimizer, target) for target in way.targets]
        for state, tensor in torch.states(self.ours.optimizer, pair.parameter).items():
            row, name = row_of(state, kept[0])
            if row is None or not all(name in held for held in kept):
                continue
            carried = way.forth(ours.view(tensor), values, row.power)
            for array, held in zip(carried, kept, strict=True):
                theirs.overwrite(held[name], array)
