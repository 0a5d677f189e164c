"""Which of torch's weights are which of paddle's, where torch's network is not at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parity.inventory import Inventory
from parity.renaming import renaming_of
from parity.structure import called_in, structure_between
from parity.weights import Keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parity.arguments import Arguments
    from parity.carry import Weights
    from parity.dump.reader import Dump
    from parity.renaming import Rename


def keys_between(
    weights: Weights,
    inventory: Inventory,
    network: Any,
    inputs: Arguments,
    rename: Rename | None,
    on: Dump | None,
) -> Keys:
    """Tell how torch's keys become paddle's: from torch's dump, or else by renames alone.

    Args:
        weights: Those to be carried over.
        inventory: What paddle's network consists of.
        network: Paddle's; a copy of it runs where names do not settle everything.
        inputs: Its arguments.
        rename: The caller's renames.
        on: Torch's dump.
    """
    if on is None:
        said = renaming_of(rename, _of_keys(weights.tensors))
        return Keys(said.paths, said.dropped)
    structure = structure_between(
        on.inventory, inventory, (on.called, lambda: called_in(network, inputs)), rename
    )
    return Keys(structure.key_rename, structure.left_out, structure.kept, structure.folded)


def _of_keys(keys: Iterable[str]) -> Inventory:
    """Give what keys alone tell of a network."""
    names = tuple(keys)
    paths = [name.rpartition(".")[0] for name in names]
    return Inventory((), {path: path for path in paths}, keys=names)
