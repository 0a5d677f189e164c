"""The search for partners among the layers of two networks whose names do not say.

Names go first: paths after the caller's renames, any of a shared layer's several paths, paths below
a mere wrapper. Layers with weights that are left over then pair by the order in which they are
called, if they are of the same kind and shape and there is only one way to do it. Containers pair
if all that they hold does. What was assumed is listed; it is never more than an assumption about
whose weights go where, for what both networks then compute is compared all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from converters.layouts import join
from parity.align import aligned_in_order, only_ones
from parity.pair import renamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parity.inventory import Inventory, Unit

BY_ORDER = "by call order"
AGAINST = "by call order, registered in another order"
BY_SHAPE = "as the only one of its kind and shape"
#: The classes of the modules that ran, by path, in order of completion.
Called = Mapping[str, str]


@dataclass(frozen=True)
class Assumed:
    """A pair of layers that names alone did not give.

    Attributes:
        torch: Its path in torch.
        paddle: Its path in paddle.
        how: What was gone by.
    """

    torch: str
    paddle: str
    how: str


@dataclass
class Search:
    """What is known so far."""

    ours: Inventory
    theirs: Inventory
    rename: dict[str, str]
    pairs: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    containers: dict[str, str] = field(default_factory=dict)
    assumed: list[Assumed] = field(default_factory=list)
    called: tuple[Called, Called] = ({}, {})

    @property
    def open_ours(self) -> list[Unit]:
        """Torch's layers that have no partner yet."""
        return [unit for path, unit in self.ours.units.items() if path not in self.pairs]

    @property
    def open_theirs(self) -> list[Unit]:
        """Paddle's layers that have no partner yet."""
        return [unit for path, unit in self.theirs.units.items() if path not in self.taken]

    def by_name(self) -> None:
        """Pair layers whose names agree, and whose kinds and shapes do, too."""
        names = {**self.rename, **self.pairs, **self.containers}
        wanted = {unit.torch_path: unit for unit in self.theirs.units.values()}
        for path, first in self.theirs.first.items():
            if first in self.theirs.units:
                wanted.setdefault(path, self.theirs.units[first])
        for path, first in self.ours.first.items():
            theirs = wanted.get(renamed(path, names))
            if first in self.ours.units and theirs is not None:
                self._pair(self.ours.units[first], theirs)

    def _pair(self, ours: Unit, theirs: Unit) -> None:
        free = ours.path not in self.pairs and theirs.path not in self.taken
        if free and ours.signature == theirs.signature:
            self.pairs[ours.path] = theirs.path
            self.taken.add(theirs.path)

    def by_wrapper(self) -> None:
        """Pair layers by their names below a wrapper, if more of them agree there."""
        for ours in self.ours.wrappers:
            for theirs in self.theirs.wrappers:
                names = {**self._below(ours, theirs), **self.rename}
                trial = Search(self.ours, self.theirs, names)
                trial.by_name()
                if len(trial.pairs) > len(self.pairs):
                    self.pairs, self.taken, self.rename = trial.pairs, trial.taken, names

    def _below(self, ours: str, theirs: str) -> dict[str, str]:
        names = self.ours.children(ours) if ours != theirs else []
        return {join(ours, name): join(theirs, name) for name in names}

    def by_order(self) -> None:
        """Pair what is left over and was called."""
        for how, align in ((BY_ORDER, aligned_in_order), (BY_SHAPE, only_ones)):
            ours = in_order(self.ours, self.open_ours, self.called[0])
            theirs = in_order(self.theirs, self.open_theirs, self.called[1])
            signs = [unit.signature for unit in ours], [unit.signature for unit in theirs]
            for i, j in align(*signs):
                self._pair(ours[i], theirs[j])
                self.assumed.append(Assumed(ours[i].path, theirs[j].path, how))

    def by_content(self) -> None:
        """Pair containers that hold the same layers; of several around the same, from outside."""
        held = _by_content(self.theirs, {path: path for path in self.taken})
        for content, ours in _by_content(self.ours, self.pairs).items():
            theirs = held.get(content, [])
            names = {**self.rename, **self.pairs}
            same = {path: renamed(path, names) for path in ours if renamed(path, names) in theirs}
            rest = [path for path in ours if path not in same]
            others = [path for path in theirs if path not in same.values()]
            self.containers |= same | dict(zip(rest, others, strict=False))

    def told(self) -> Iterator[Assumed]:
        """Yield what was assumed; a call order that registration contradicts is said to be one."""
        registered = [{path: i for i, path in enumerate(x.units)} for x in (self.ours, self.theirs)]
        places: dict[Any, list[tuple[int, int]]] = {}
        for one in self.assumed:
            place = registered[0][one.torch], registered[1][one.paddle]
            places.setdefault(self.ours.units[one.torch].signature, []).append(place)
        for one in self.assumed:
            group = sorted(places[self.ours.units[one.torch].signature])
            theirs = [place for _, place in group]
            against = one.how == BY_ORDER and theirs != sorted(theirs)
            yield replace(one, how=AGAINST) if against else one


def _by_content(side: Inventory, names: Mapping[str, str]) -> dict[frozenset[str], list[str]]:
    """Give the containers that hold paired layers, outer ones first, by those layers."""
    found: dict[frozenset[str], list[str]] = {}
    for path in side.paths:
        content = frozenset(names[unit] for unit in side.inside(path) if unit in names)
        if content:
            found.setdefault(content, []).append(path)
    return found


def in_order(side: Inventory, units: list[Unit], called: Mapping[str, str]) -> list[Unit]:
    """Give the units that were called, in that order, but for those inside another one."""
    order = {path: place for place, path in enumerate(called)}
    ran = [unit for unit in units if unit.path in order and not side.is_part(unit.path)]
    return sorted(ran, key=lambda unit: order[unit.path])
