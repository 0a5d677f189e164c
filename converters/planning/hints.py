"""What a conversion's user should know although nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from converters.dtypes import BY_NAME
from converters.entries import Entry
from converters.layouts import Layout
from converters.transforms import FLOATING

SINGLE = "float32"
ASSUMED = "name the network with --model, or kinds of layers in --rules"


def hints(entries: tuple[Entry, ...], layout: Layout, to: str, target: Any) -> Iterator[str]:
    """Yield what helps against an assumption or when the target is loaded, one line each.

    Args:
        entries: every key's fate.
        layout: the network.
        to: the target framework.
        target: the target network if it is at hand.
    """
    if any(layer.assumption for layer in layout.layers):
        yield ASSUMED
    if to == "torch":  # which casts what it loads
        return
    floating = {entry.dtype for entry in entries if entry.targets and is_floating(entry.dtype)}
    wanted = {SINGLE} if target is None else types_of(target)
    odd = floating - wanted
    if odd and wanted:
        network = "a network" if target is None else "this network"
        goal = SINGLE if SINGLE in wanted else min(wanted)
        yield (
            f"the target holds {' and '.join(sorted(odd))}, which Paddle does not load into "
            f"{network} in {' and '.join(sorted(wanted))}; {mend(goal, odd)}"
        )


def mend(goal: str, found: set[str]) -> str:
    """Return how the target gets another type."""
    if goal == "float64":
        return "cast it when it is loaded: --dtype has no float64"
    exact = goal == SINGLE and "float64" not in found
    return f"--dtype {goal} writes {goal} and {'loses nothing' if exact else 'rounds'}"


def is_floating(name: str) -> bool:
    """Return whether a type's name is one that ``--dtype`` can change."""
    return name in BY_NAME and BY_NAME[name] in FLOATING


def types_of(network: Any) -> set[str]:
    """Return the floating-point types of a Paddle network's tensors."""
    names = {str(value.dtype).rpartition(".")[2] for value in network.state_dict().values()}
    return {name for name in names if is_floating(name)}
