"""What is known of a network before its tensors are looked at: its layers, and their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layer:
    """One layer of the network that a checkpoint belongs to.

    Attributes:
        path: its path in the network, '' for the network itself.
        kind: a kind of :data:`converters.rules.RULES`, or ``parameter`` for tensors that a
            user's own layer holds directly.
        shapes: torch shapes of its tensors by torch name; those that may be absent are absent.
    """

    path: str
    kind: str
    shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Layout:
    """All layers of a network, and the second names that some of its tensors have.

    Attributes:
        layers: in the order of the network.
        aliases: second name → first name, both torch keys.
        arch: the network's name, ``generic`` if it is none of ours.
        variant: whose implementation, '' if unknown.
        num_classes: outputs, None if unknown.
    """

    layers: tuple[Layer, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    arch: str = "generic"
    variant: str = ""
    num_classes: int | None = None


def join(path: str, name: str) -> str:
    """Return the key of a tensor in a layer."""
    return f"{path}.{name}" if path else name
