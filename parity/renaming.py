"""The caller's renames: prefixes of paths, or rules for keys as the converter takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from converters.user_rules import UserRules
from parity.inventory import Inventory

#: Prefix of a torch path to prefix of a paddle path, or the converter's rules.
Rename = Mapping[str, str] | UserRules


@dataclass(frozen=True)
class Renaming:
    """The caller's renames as far as a network has what they speak of.

    Attributes:
        paths: Torch path prefix to paddle path prefix.
        dropped: Torch keys that are not carried over.
    """

    paths: Mapping[str, str]
    dropped: tuple[str, ...] = ()


def renaming_of(rename: Rename | None, ours: Inventory) -> Renaming:
    """Tell what a caller's renames mean for a torch network.

    A rule speaks of keys. A module is renamed as the keys of its tensors are; one without tensors
    as a tensor in it would be.

    Raises:
        converters.InputError: Two keys get the same name, or a rule fits none.
    """
    if not isinstance(rename, UserRules):
        return Renaming(dict(rename or {}))
    keys = [key for key in ours.keys if _is_first(key, ours.first)]
    names, dropped = rename.applied({key: key for key in keys})
    paths = {key.rpartition(".")[0]: new.rpartition(".")[0] for new, key in names.items()}
    for path in ours.first:
        if path and path not in paths:
            paths[path] = rename.renamed(f"{path}.x").rpartition(".")[0]
    return Renaming(
        {ours: theirs for ours, theirs in paths.items() if ours != theirs},
        tuple(names[name] for name in dropped),
    )


def _is_first(key: str, first: Mapping[str, str]) -> bool:
    path = key.rpartition(".")[0]
    return first.get(path, path) == path
