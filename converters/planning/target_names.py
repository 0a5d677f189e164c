"""A plan's entries under the names that an implementation gives to the target's tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from converters.entries import Entry, several, single
from converters.layouts import join, stdc
from converters.layouts.names import AUTHORS, NATIVE
from converters.layouts.naming import Naming
from converters.planning.aim import Aim
from converters.planning.source import Source
from stdc_port import spec


@dataclass(frozen=True)
class Named:
    """Entries under the names that the target has.

    Attributes:
        entries: every key's fate.
        seconds: second name → first name of tensors that the target holds twice.
    """

    entries: tuple[Entry, ...]
    seconds: dict[str, str]


def named(entries: tuple[Entry, ...], aim: Aim, source: Source, to: str) -> Named:
    """Return entries with the targets' names as the implementation has them."""
    seconds = dict(aim.layout.second_names(to))
    if aim.naming is NATIVE and source.naming is NATIVE:
        return Named(entries, seconds)
    doubled = to == "torch" and aim.naming in (NATIVE, AUTHORS)
    network = stdc.network_of(aim.layout, aim.layout.variant)
    renamed: list[Entry] = []
    for entry in entries:
        if entry.source is None and entry.action == "alias":
            renamed += [entry] if doubled else []
            continue
        targets = tuple(target_name(key, aim.naming, network) for key in several(entry.target))
        action = entry.action
        if action in ("copy", "rename") and targets:
            action = "copy" if targets == entry.sources else "rename"
        renamed.append(replace(entry, target=single(targets), action=action))
    twice = seconds if doubled else dict(second_names(renamed, aim.naming, network))
    added = [alias(second, first, renamed) for second, first in twice.items() if not doubled]
    return Named((*renamed, *added), twice)


def second_names(
    entries: list[Entry], naming: Naming, network: spec.NetworkSpec
) -> Iterator[tuple[str, str]]:
    """Yield the second names that an implementation gives to tensors, each with the first."""
    for key in (key for entry in entries for key in entry.targets):
        path, _, tensor = key.rpartition(".")
        if second := naming.second_path(path, network):
            yield join(second, tensor), key


def alias(second: str, first: str, entries: list[Entry]) -> Entry:
    """Return the entry of a second name."""
    shape = next(entry.shape for entry in entries if first in entry.targets)
    return Entry(None, second, "alias", shape, "", f"the same tensor as {first!r}")


def target_name(key: str, naming: Naming, network: spec.NetworkSpec) -> str:
    """Return the name that a tensor has in an implementation."""
    path, _, tensor = key.rpartition(".")
    return join(naming.path(path, network), tensor)
