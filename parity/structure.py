"""Which torch layer is which paddle layer: what follows from the search for partners."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from parity.inventory import inventory_of
from parity.pair import NO_PARTNER, Unpaired, renamed
from parity.renaming import renaming_of
from parity.search import Search, in_order
from parity.source import LiveRun, copy_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from parity.inventory import Inventory, Unit
    from parity.renaming import Rename
    from parity.search import Assumed, Called


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
    """Find out which layers of two networks are partners.

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
    return structure_between(
        inventory_of(torch_module),
        inventory_of(paddle_layer),
        (lambda: called_in(torch_module, inputs), lambda: called_in(paddle_layer, inputs)),
        rename,
    )


def called_in(network: Any, inputs: tuple[np.ndarray, ...]) -> Called:
    """Run a copy of a network, and give the classes of the modules that ran."""
    return LiveRun(copy_as(network, "float32"), inputs, "float32").called()


def structure_between(
    ours: Inventory,
    theirs: Inventory,
    called: tuple[Callable[[], Called], Callable[[], Called]],
    rename: Rename | None = None,
) -> Structure:
    """Find out which layers are partners, from what the networks consist of.

    Args:
        ours: Torch's.
        theirs: Paddle's.
        called: Give the modules that ran in torch and in paddle; asked where names do not settle
            everything.
        rename: The caller's renames.

    Raises:
        converters.InputError: A rule of the caller's fits nothing.
    """
    said = renaming_of(rename, ours)
    if ours.unknown or theirs.unknown:
        # Without rules for all layers nothing is known of their shapes: names have to do.
        return Structure(said.paths, said.paths, left_out=said.dropped)
    search = Search(ours, theirs, dict(said.paths))
    search.by_name()
    if search.open_ours or search.open_theirs:
        search.called = called[0](), called[1]()
        search.by_wrapper()
        search.by_order()
    search.by_content()
    search.by_name()
    found = _concluded(search)
    return replace(found, left_out=(*found.left_out, *said.dropped))


def _concluded(search: Search) -> Structure:
    ours, theirs = search.ours, search.theirs
    keys = {path: theirs.units[other].torch_path for path, other in search.pairs.items()}
    names = _needed(search.rename, search.containers | search.pairs)
    apart = dict.fromkeys(_apart(search, names), NO_PARTNER) if search.assumed else {}
    key_names = _needed(search.rename, search.containers | keys)
    in_torch, in_paddle = search.called
    return Structure(
        rename=names | apart,
        key_rename=key_names,
        assumed=tuple(search.told()),
        torch_only=_lone(ours, search.open_ours, in_torch),
        paddle_only=_lone(theirs, search.open_theirs, in_paddle),
        left_out=(*_unused(ours, search.open_ours, in_torch), *_second(search, key_names)),
        kept=_unused(theirs, search.open_theirs, in_paddle),
        folded=tuple(keys[path] for path in keys if ours.units[path].folded),
    )


def _second(search: Search, names: Mapping[str, str]) -> Iterator[str]:
    """Yield second paths of torch's layers, unless paddle has a layer of its own there."""
    theirs = search.theirs
    for path, first in search.ours.first.items():
        if path != first and first in search.pairs:
            there = theirs.first.get(renamed(path, names))
            if there not in theirs.units or there == search.pairs[first]:
                yield path


def _apart(search: Search, names: Mapping[str, str]) -> Iterator[str]:
    """Yield torch modules that have the name of something else in paddle."""
    ours, theirs = search.ours, search.theirs
    free = set(theirs.paths) - search.taken - set(search.containers.values())
    for path in ours.paths:
        other = renamed(path, names)
        known = path in search.pairs or path in search.containers
        if not known and other in free:
            inner = ours.inside(path) or theirs.inside(other)
            if inner or ours.kind(path).lower() != theirs.kind(other).lower():
                yield path


def _needed(rename: Mapping[str, str], pairs: Mapping[str, str]) -> dict[str, str]:
    """Add pairs to a renaming, those that do not follow from it."""
    needed = dict(rename)
    for ours, theirs in sorted(pairs.items()):
        if renamed(ours, needed) != theirs:
            needed[ours] = theirs
    return needed


def _lone(side: Inventory, units: list[Unit], called: Mapping[str, str]) -> tuple[Unpaired, ...]:
    return tuple(
        Unpaired(unit.path, called[unit.path], 0, weights=True)
        for unit in in_order(side, units, called)
    )


def _unused(side: Inventory, units: list[Unit], called: Mapping[str, str]) -> tuple[str, ...]:
    silent = {unit.path for unit in units if unit.path not in called}
    # What holds a layer that is in use stays.
    silent = {path for path in silent if side.inside(path) <= silent}
    return tuple(path for path, first in side.first.items() if first in silent)
