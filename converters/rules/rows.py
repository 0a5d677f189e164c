"""What a rule is: rows of data, one a tensor.

Names are relative to the layer. A layout belongs to a layer kind, never to a number of axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class TensorRule:
    """One tensor of a layer, or one that torch packs and Paddle keeps in parts.

    Attributes:
        torch: its name in torch.
        paddle: its name in Paddle, or the names of its parts; None if Paddle keeps no such tensor.
        transform: key into :data:`converters.transforms.TRANSFORMS`, torch to Paddle.
        reason: why it is changed or left out.
        also: other spellings of the name in torch.
        refused: Paddle cannot compute with it, so leaving it out would change the result.
        zero: a layer without the tensor computes as if it held zeros.
        made: zeros may be put in the target where the source has none; it does not train them.
        size: attribute of a Paddle layer that holds the tensor's shape in torch.
        blank: attribute of a Paddle layer that names a row which it always returns as zeros.
        own: a user's own layer holds it, and what it does with it is unknown.
        doubt: how else it may be laid out where nothing tells, '' where something does.
        norms: Paddle's name of the tensor that it holds norms of, '' if it holds none.
        axis: torch's axis of that tensor along which they run, None if unknown.
    """

    torch: str
    paddle: str | tuple[str, ...] | None
    transform: str = "copy"
    reason: str = ""
    also: tuple[str, ...] = ()
    refused: bool = False
    zero: bool = False
    made: bool = False
    size: str = ""
    blank: str = ""
    own: bool = False
    doubt: str = ""
    norms: str = ""
    axis: int | None = None

    def names(self, framework: str) -> tuple[str, ...]:
        """Return its names in a framework: in Paddle the parts, in torch one."""
        if framework == "torch":
            return (self.torch,)
        if self.paddle is None:
            return ()
        return self.paddle if isinstance(self.paddle, tuple) else (self.paddle,)


@dataclass(frozen=True)
class Limit:
    """Something that a layer of one framework does and the other cannot.

    Attributes:
        framework: whose layer.
        attribute: its attribute that tells.
        broken: whether a value of the attribute goes beyond what is possible.
        reason: what is impossible, and how to mend it; ``{value}`` is the attribute's.
    """

    framework: str
    attribute: str
    broken: Callable[[Any], bool]
    reason: str


@dataclass(frozen=True)
class LayerRule:
    """All tensors of one kind of layer.

    Attributes:
        kind: the name used in layouts, rule files and messages.
        torch_classes: class names in ``torch.nn``.
        paddle_classes: class names in ``paddle.nn``.
        tensors: its tensors.
        rows: makes the tensors from the names and shapes that a layer has in a framework, where
            their number depends on the layer.
        twins: names in Paddle's state dict that stand for a tensor which has another name there,
            given the names present.
        inner: names of its tensors in sublayers of a Paddle layer, as a regular expression.
        children: names of sublayers that differ, (torch, Paddle).
        limits: what refuses a layer although its tensors would fit.
        looks_like: the kind that its tensors are taken for where nothing else tells.
    """

    kind: str
    torch_classes: tuple[str, ...]
    paddle_classes: tuple[str, ...]
    tensors: tuple[TensorRule, ...] = ()
    rows: Callable[[Shapes, str], tuple[TensorRule, ...]] | None = None
    twins: Callable[[list[str]], Mapping[str, str]] | None = None
    inner: str = ""
    children: tuple[tuple[str, str], ...] = ()
    limits: tuple[Limit, ...] = ()
    looks_like: str = ""

    def classes(self, framework: str) -> tuple[str, ...]:
        """Return the names of the classes that are of this kind in a framework."""
        return self.torch_classes if framework == "torch" else self.paddle_classes

    def rows_for(self, shapes: Shapes, framework: str) -> tuple[TensorRule, ...]:
        """Return the rows for a layer with these tensors in a framework."""
        return self.tensors if self.rows is None else self.rows(shapes, framework)


def copied(*names: str) -> tuple[TensorRule, ...]:
    """Return rows for tensors that have the same name and layout in both frameworks."""
    return tuple(TensorRule(name, name) for name in names)


def dimensions(name: str, suffix: str = "d") -> tuple[str, ...]:
    """Return a layer's class names for one, two and three dimensions."""
    return tuple(f"{name}{n}{suffix}" for n in (1, 2, 3))
