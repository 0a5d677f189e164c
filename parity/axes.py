"""Inner tensors whose axes lie in another order: sequences first, channels last.

A correct port may keep such a layout inside, as long as it is undone before anything returns. So
axes are permuted only inside a call that returns the same as torch's in torch's own axes, and only
where every value agrees then, to the tolerance of float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from parity.compare import tensor_error
from parity.pair import Pairing, partners
from parity.precision import within
from parity.record import Given, Record, Value
from parity.runs import aligned, returned
from parity.source import Source

if TYPE_CHECKING:
    from collections.abc import Collection

    from parity.layer_result import LayerResult
    from parity.record import CallKey
    from parity.result import ParityResult


#: Tensors of more axes are left as they are: the number of orders grows too fast.
MOST_AXES = 5
Order = tuple[int, ...]
#: Orders of axes by paddle's call and the tensor's slot.
Orders = Mapping[tuple["CallKey", str], Order]


@dataclass(frozen=True)
class Axes:
    """Which of paddle's tensors have their axes in which order.

    Attributes:
        returned: Of what calls returned: `array.transpose(order)` has torch's axes.
        given: Of what they were given.
        told: The orders of what torch's calls returned, by call, for people.
    """

    returned: Orders = field(default_factory=dict)
    given: Orders = field(default_factory=dict)
    told: Mapping[CallKey, tuple[Order, ...]] = field(default_factory=dict)

    def noted(self, result: ParityResult) -> ParityResult:
        """Say of each layer how it was compared."""
        return replace(result, layers=tuple(map(self._noted, result.layers)))

    def _noted(self, layer: LayerResult) -> LayerResult:
        orders = self.told.get((layer.name, layer.call))
        if not orders:
            return layer
        note = f"compared with axes permuted {', '.join(map(str, dict.fromkeys(orders)))}"
        return replace(layer, note="; ".join(filter(None, (layer.note, note))))


def inside_what_agrees(result: ParityResult) -> frozenset[CallKey]:
    """Give torch's calls that fail inside a call that passes; without float64 none."""
    if "float64" not in result.precisions:
        return frozenset()
    calls = {(x.name, x.call): x for x in result.layers if x.phase == "forward"}

    def excused(key: CallKey | None) -> bool:
        while key is not None and key in calls:
            if calls[key].state.passes:
                return True
            key = calls[key].parent
        return False

    return frozenset(key for key, x in calls.items() if not x.state.passes and excused(x.parent))


def axes_between(
    ours: Source,
    theirs: Source,
    wanted: Collection[CallKey],
    *,
    rename: Mapping[str, str],
    bound: float,
) -> Axes | None:
    """Find the orders of axes in which tensors agree; None if there is none.

    Args:
        ours: Torch's run in float64.
        theirs: Paddle's.
        wanted: Torch's calls that returned something else.
        rename: Torch path prefix to paddle path prefix.
        bound: Of the float64 error.

    Raises:
        NetworkError: A network's forward raised.
    """
    with ours.paused(starts=True) as events:
        pairing = Pairing(events, partners(ours.paths(), theirs.paths(), rename))
        finder = _Finder(pairing, frozenset(wanted), bound)
        theirs.stream(finder.on_return, finder.on_start)
    told = {key: tuple(orders) for key, orders in finder.told.items()}
    return Axes(finder.returned, finder.given, told) if told else None


@dataclass
class _Finder:
    pairing: Pairing
    wanted: frozenset[CallKey]
    bound: float
    returned: dict[tuple[CallKey, str], Order] = field(default_factory=dict)
    given: dict[tuple[CallKey, str], Order] = field(default_factory=dict)
    told: dict[CallKey, list[Order]] = field(default_factory=dict)

    def on_start(self, theirs: Given) -> None:
        ours = self.pairing.partner(theirs)
        if ours is not None:
            for _, a, b in aligned(ours.inputs, theirs.inputs):
                order = self._order(a, b)
                if order is not None and b is not None:
                    self.given[theirs.key, b.slot] = order

    def on_return(self, theirs: Record) -> None:
        ours = self.pairing.partner(theirs)
        if ours is None or ours.key not in self.wanted:
            return
        for _, a, b in returned(ours, theirs):
            order = self._order(a, b)
            if order is not None and b is not None:
                self.returned[theirs.key, b.slot] = order
                self.told.setdefault(ours.key, []).append(order)

    def _order(self, ours: Value | None, theirs: Value | None) -> Order | None:
        """Give the order in which a tensor agrees; None if it does as it is, or in none."""
        if ours is None or theirs is None:
            return None
        return order_of(ours.array, theirs.array, self.bound)


def order_of(ours: np.ndarray, theirs: np.ndarray, bound: float) -> Order | None:
    """Give the order of axes in which a tensor is another; None if it is as it stands, or never.

    >>> order_of(np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3).T, 0.0)
    (1, 0)
    """
    if ours.ndim != theirs.ndim or not 2 <= ours.ndim <= MOST_AXES:
        return None
    if sorted(ours.shape) != sorted(theirs.shape) or _agree(ours, theirs, bound):
        return None
    fitting = (
        order
        for order in permutations(range(ours.ndim))
        if tuple(theirs.shape[axis] for axis in order) == ours.shape
    )
    return next((o for o in fitting if _agree(ours, theirs.transpose(o), bound)), None)


def _agree(ours: np.ndarray, theirs: np.ndarray, bound: float) -> bool:
    return within(tensor_error(ours, theirs), bound)
