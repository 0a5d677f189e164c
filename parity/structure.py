"""Which torch layer is which paddle layer, where their names do not say.

Names go first: paths after the caller's renames, any of a shared layer's several paths, paths below
a mere wrapper. Layers with weights that are left over then pair by the order in which they are
called, if they are of the same kind and shape and there is only one way to do it. Containers pair
if all that they hold does. What was assumed is listed; it is never more than an assumption about
whose weights go where, for what both networks then compute is compared all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from converters import ConverterError
from converters.layouts import join
from parity.align import aligned_in_order, only_ones
from parity.inventory import Inventory, Unit
from parity.pair import NO_PARTNER, Unpaired, renamed
from parity.renaming import Rename, renaming_of
from parity.running import run
from parity.source import copy_as

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from parity.record import Record

BY_ORDER = "by call order"
AGAINST = "by call order, registered in another order"
BY_SHAPE = "as the only one of its kind and shape"


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


@dataclass(frozen=True)
class Structure:
    """How the modules of two networks correspond.

    Attributes:
        rename: Torch path to paddle path, for calls.
        key_rename: Torch path to the path under which the converter looks for its weights.
        assumed: The pairs that are no matter of names.
        torch_only: Layers with weights that were called in torch and have no partner.
        paddle_only: The same in paddle.
        left_out: Torch paths and keys whose tensors are not carried over: layers without a partner
            that are never called, second paths of shared layers, what the caller drops.
        kept: Paddle layers without a partner that are never called, by all their paths.
        folded: Those of the converter's paths that are an in-place ABN in torch.
    """

    rename: Mapping[str, str]
    key_rename: Mapping[str, str]
    assumed: tuple[Assumed, ...] = ()
    torch_only: tuple[Unpaired, ...] = ()
    paddle_only: tuple[Unpaired, ...] = ()
    left_out: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()


def structure_of(
    torch_module: Any,
    paddle_layer: Any,
    inputs: tuple[np.ndarray, ...],
    rename: Rename | None = None,
) -> Structure:
    """Find out which layers are partners.

    Unless names settle everything, copies of both networks run once on the inputs.

    Args:
        torch_module: The reference; it is only read.
        paddle_layer: The network in question; it is only read.
        inputs: The positional arguments of both.
        rename: The caller's renames.

    Raises:
        NetworkError: A network's forward raised, or it cannot be copied.
        converters.InputError: A rule of the caller's fits nothing.
    """
    said = renaming_of(rename, torch_module)
    search = _Search(Inventory(torch_module), Inventory(paddle_layer), dict(said.paths))
    try:
        search.by_name()
    except ConverterError:
        # Without rules for all layers nothing is known of their shapes: names have to do.
        return Structure(said.paths, said.paths, left_out=said.dropped)
    if search.open_ours or search.open_theirs:
        search.kinds = _kinds_called(torch_module, inputs), _kinds_called(paddle_layer, inputs)
        search.by_wrapper()
        search.by_order()
    search.by_content()
    search.by_name()
    found = search.found()
    return replace(found, left_out=(*found.left_out, *said.dropped))


def _kinds_called(network: Any, inputs: tuple[np.ndarray, ...]) -> dict[str, str]:
    """Give the classes of the modules that run, by path, in order of completion."""
    kinds: dict[str, str] = {}

    def note(record: Record) -> None:
        kinds.setdefault(record.path, record.kind)

    run(copy_as(network, "float32"), inputs, note, "float32", share=True)
    return kinds


@dataclass
class _Search:
    """What is known so far."""

    ours: Inventory
    theirs: Inventory
    rename: dict[str, str]
    pairs: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    containers: dict[str, str] = field(default_factory=dict)
    assumed: list[Assumed] = field(default_factory=list)
    kinds: tuple[dict[str, str], dict[str, str]] = ({}, {})

    @property
    def open_ours(self) -> list[Unit]:
        return [unit for path, unit in self.ours.units.items() if path not in self.pairs]

    @property
    def open_theirs(self) -> list[Unit]:
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
                trial = _Search(self.ours, self.theirs, names)
                trial.by_name()
                if len(trial.pairs) > len(self.pairs):
                    self.pairs, self.taken, self.rename = trial.pairs, trial.taken, names

    def _below(self, ours: str, theirs: str) -> dict[str, str]:
        names = self.ours.children(ours) if ours != theirs else []
        return {join(ours, name): join(theirs, name) for name in names}

    def by_order(self) -> None:
        """Pair what is left over and was called."""
        for how, align in ((BY_ORDER, aligned_in_order), (BY_SHAPE, only_ones)):
            ours = _in_order(self.ours, self.open_ours, self.kinds[0])
            theirs = _in_order(self.theirs, self.open_theirs, self.kinds[1])
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

    def found(self) -> Structure:
        """Give the outcome."""
        keys = {ours: self.theirs.units[theirs].torch_path for ours, theirs in self.pairs.items()}
        names = _needed(self.rename, self.containers | self.pairs)
        apart = dict.fromkeys(self._apart(names), NO_PARTNER) if self.assumed else {}
        key_names = _needed(self.rename, self.containers | keys)
        ours, theirs = self.open_ours, self.open_theirs
        return Structure(
            rename=names | apart,
            key_rename=key_names,
            assumed=tuple(self._told()),
            torch_only=_lone(self.ours, ours, self.kinds[0]),
            paddle_only=_lone(self.theirs, theirs, self.kinds[1]),
            left_out=(*_unused(self.ours, ours, self.kinds[0]), *self._second(key_names)),
            kept=_unused(self.theirs, theirs, self.kinds[1]),
            folded=tuple(keys[path] for path in keys if self.ours.units[path].folded),
        )

    def _second(self, names: Mapping[str, str]) -> Iterator[str]:
        """Yield second paths of torch's layers, unless paddle has a layer of its own there."""
        for path, first in self.ours.first.items():
            if path != first and first in self.pairs:
                there = self.theirs.first.get(renamed(path, names))
                if there not in self.theirs.units or there == self.pairs[first]:
                    yield path

    def _apart(self, names: Mapping[str, str]) -> Iterator[str]:
        """Yield torch modules that have the name of something else in paddle."""
        theirs = set(self.theirs.paths) - self.taken - set(self.containers.values())
        for path in self.ours.paths:
            other = renamed(path, names)
            known = path in self.pairs or path in self.containers
            if not known and other in theirs:
                inner = self.ours.inside(path) or self.theirs.inside(other)
                if inner or self.ours.kind(path).lower() != self.theirs.kind(other).lower():
                    yield path

    def _told(self) -> Iterator[Assumed]:
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


def _needed(rename: Mapping[str, str], pairs: Mapping[str, str]) -> dict[str, str]:
    """Add pairs to a renaming, those that do not follow from it."""
    needed = dict(rename)
    for ours, theirs in sorted(pairs.items()):
        if renamed(ours, needed) != theirs:
            needed[ours] = theirs
    return needed


def _in_order(side: Inventory, units: list[Unit], called: Mapping[str, str]) -> list[Unit]:
    """Give the units that were called, in that order, but for those inside another one."""
    order = {path: place for place, path in enumerate(called)}
    ran = [unit for unit in units if unit.path in order and not side.is_part(unit.path)]
    return sorted(ran, key=lambda unit: order[unit.path])


def _lone(side: Inventory, units: list[Unit], called: Mapping[str, str]) -> tuple[Unpaired, ...]:
    return tuple(
        Unpaired(unit.path, called[unit.path], 0, weights=True)
        for unit in _in_order(side, units, called)
    )


def _unused(side: Inventory, units: list[Unit], called: Mapping[str, str]) -> tuple[str, ...]:
    silent = {unit.path for unit in units if unit.path not in called}
    # What holds a layer that is in use stays.
    silent = {path for path in silent if side.inside(path) <= silent}
    return tuple(path for path, first in side.first.items() if first in silent)
