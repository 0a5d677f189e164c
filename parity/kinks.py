"""Why float32 gradients of a correct port may differ by per cents: values on a ReLU's kink.

Where a value before a ReLU is zero but for rounding, one framework's float32 result comes out just
above zero and passes its whole gradient on, the other's is zero and passes none. The values differ
by 1e-7, the gradients by all of themselves; in float64 the two agree. So the number of such places
is the evidence that a large float32 difference of gradients is arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parity.record import CallKey, Record


@dataclass(frozen=True)
class Kink:
    """Places of one activation that are zero in one framework alone.

    Attributes:
        count: How many.
        leaf: The activation is a layer of its own, not part of a larger one's forward.
        largest: The largest value that is zero in the other framework, relative to the largest
            value of all.
    """

    count: int
    leaf: bool
    largest: float


@dataclass
class Kinks:
    """Collects them over a run; see `parity.runs.Seen`."""

    found: dict[CallKey, Kink] = field(default_factory=dict)

    def __call__(self, call: Record, ours: np.ndarray, theirs: np.ndarray) -> None:
        """Look at one pair of returned tensors."""
        if ours.shape != theirs.shape or ours.dtype.kind != "f" or call.key in self.found:
            return
        split = (ours == 0) != (theirs == 0)
        count = int(np.count_nonzero(split))
        # A tensor that is zero everywhere on one side is a fault, not a kink.
        if count and ours.any() and theirs.any():
            values = np.maximum(np.abs(ours[split]), np.abs(theirs[split]))
            largest = float(values.max() / np.abs(ours).max())
            self.found[call.key] = Kink(count, call.leaf, largest)

    def after(self, key: CallKey | None, order: Sequence[CallKey]) -> str:
        """Tell of the kinks behind a call, those that its gradient has passed; '' for none.

        Args:
            key: The call; None for the network's inputs, which come before all.
            order: Torch's calls in order of completion.
        """
        start = 0 if key is None else order.index(key) + 1
        passed = [self.found[later] for later in order[start:] if later in self.found]
        if not passed:
            return ""
        # What returns a layer's zeros once more, a concatenation say, adds none.
        passed = [kink for kink in passed if kink.leaf] or passed
        count, largest = sum(kink.count for kink in passed), max(kink.largest for kink in passed)
        places = f"{count} near-zero value{'s' if count > 1 else ''} behind it"
        return (
            f"{places}, at most {largest:.0e} of their layer's largest, came out as 0 in one "
            "framework and not in the other: there a ReLU passes the whole gradient or none"
        )
