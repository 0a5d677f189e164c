"""What is known of a network before its tensors are looked at: its layers, and their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from converters.rules import BY_KIND, PARAMETER, TensorRule, parameters


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the network that a checkpoint belongs to.

    Attributes:
        path: its path in the torch network, '' for the network itself.
        kind: a kind of :data:`converters.rules.RULES`, or ``parameter`` for tensors that a
            user's own layer holds directly.
        shapes: torch shapes of its tensors by torch name; those that may be absent are absent.
        tensors: its rows, None for those of its kind.
        paddle: its path in the Paddle network, None if it is the same.
        problems: why it cannot be carried over although its tensors fit.
        blank: rows that Paddle's layer always returns as zeros, by torch name.
        assumption: what was taken for granted in calling it that kind, '' if nothing was.
        confirmed: path and kind of the user's rule that would confirm it; its own if None.
        spare: why the source need not hold it, '' if it must.
        filled: where the source does not hold a spare layer, zeros are written.
    """

    path: str
    kind: str
    shapes: Mapping[str, tuple[int, ...]]
    tensors: tuple[TensorRule, ...] | None = None
    paddle: str | None = None
    problems: tuple[str, ...] = ()
    assumption: str = ""
    confirmed: tuple[str, str] | None = None
    spare: str = ""
    filled: bool = False
    blank: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[TensorRule, ...]:
        """The rules for its tensors; a user's own parameters are copied as they are."""
        if self.tensors is not None:
            return self.tensors
        if self.kind == PARAMETER.kind:
            return parameters(list(self.shapes))
        return BY_KIND[self.kind].tensors

    def keys(self, row: TensorRule, framework: str) -> tuple[str, ...]:
        """Return the keys of a tensor in a framework: in Paddle those of its parts."""
        torch = framework == "torch" or self.paddle is None
        root = self.path if torch else str(self.paddle)
        return tuple([join(root, name) for name in row.names(framework)])


@dataclass(frozen=True)
class Tie:
    """A tensor of a network that is the same as another one.

    Attributes:
        layer: that holds it under its second name.
        row: its rule there.
        owner: the layer that holds it under its first name.
        owned: its rule there.
    """

    layer: Layer
    row: TensorRule
    owner: Layer
    owned: TensorRule

    @property
    def alike(self) -> bool:
        """Whether both names have one layout in either framework."""
        return self.row.transform == self.owned.transform


@dataclass(frozen=True)
class Layout:
    """All layers of a network, and the second names that some of its tensors have.

    Attributes:
        layers: in the order of the network.
        aliases: second name → first name, both torch keys.
        arch: the network's name, ``generic`` if it is none of ours.
        variant: whose implementation, '' if unknown.
        num_classes: outputs, None if unknown.
        paddle_aliases: second name → first name, both Paddle keys.
        content: which part of the network a file holds, '' if all.
        ties: the tensors of a target network that have several names.
        at_hand: the classes of the layers told all, and no tensors had to.
    """

    layers: tuple[Layer, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    arch: str = "generic"
    variant: str = ""
    num_classes: int | None = None
    paddle_aliases: Mapping[str, str] = field(default_factory=dict)
    content: str = ""
    ties: tuple[Tie, ...] = ()
    at_hand: bool = False

    def second_names(self, framework: str) -> Mapping[str, str]:
        """Return the second names that tensors have in a framework, each with the first."""
        return self.aliases if framework == "torch" else self.paddle_aliases


def join(path: str, name: str) -> str:
    """Return the key of a tensor in a layer."""
    return f"{path}.{name}" if path else name
