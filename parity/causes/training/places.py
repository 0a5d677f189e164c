"""Parameters' names gathered to the layers that they are all of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Names that are spelt out.
SHOWN = 4


def places(names: Sequence[str], all_names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the largest layers all of whose parameters are among some, and which those are.

    Args:
        names: The parameters in question.
        all_names: All parameters of the network.
    """
    chosen = set(names)
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        path = name.rpartition(".")[0]
        while path and _below(path.rpartition(".")[0], all_names) <= chosen:
            path = path.rpartition(".")[0]
        found.setdefault(path, []).append(name)
    yield from found.items()


def _below(path: str, names: Sequence[str]) -> set[str]:
    return {name for name in names if not path or name.startswith(f"{path}.")}


def listed(names: Sequence[str]) -> str:
    """Spell some names, and count the others."""
    shown = ", ".join(names[:SHOWN])
    more = len(names) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
