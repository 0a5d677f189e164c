"""Which of torch's layers are which of paddle's, where torch's network is not at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parity.inventory import Inventory
from parity.renaming import renaming_of
from parity.structure import Structure, called_in, structure_between

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parity.arguments import Arguments
    from parity.dump.reader import Dump
    from parity.renaming import Rename


def structure_on(
    on: Dump, inventory: Inventory, network: Any, inputs: Arguments, rename: Rename | None
) -> Structure:
    """Tell it from torch's dump.

    Args:
        on: Torch's dump.
        inventory: What paddle's network consists of.
        network: Paddle's; a copy of it runs where names do not settle everything.
        inputs: Its arguments.
        rename: The caller's renames.
    """
    called = on.called, lambda: called_in(network, inputs)
    return structure_between(on.inventory, inventory, called, rename)


def structure_of_keys(keys: Iterable[str], rename: Rename | None) -> Structure:
    """Tell it from the keys of weights: by renames alone.

    Args:
        keys: Torch's.
        rename: The caller's renames.
    """
    names = tuple(keys)
    paths = [name.rpartition(".")[0] for name in names]
    said = renaming_of(rename, Inventory((), {path: path for path in paths}, keys=names))
    return Structure(said.paths, said.paths, left_out=said.dropped)
