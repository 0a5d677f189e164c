"""What a case is: a bug that is to be named, and another one that looks like it and is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle

from parity.inputs import seed_weights

Arrays = Mapping[str, np.ndarray]
#: A paddle layer, or what is done to the right weights of one.
Port = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """One cause.

    Attributes:
        cause: Its name.
        symptom: What both bugs show.
        torch: Builds the original.
        bug: Builds the port that has the bug.
        like: Builds a port with another bug of the same symptom.
        inputs: Of all of them.
        layer: Path of the layer at fault.
        port: Builds the right port, where bugs are changes of its weights.
    """

    cause: str
    symptom: str
    torch: Callable[[], Any]
    bug: Port
    like: Port
    inputs: tuple[np.ndarray, ...]
    layer: str = ""
    port: Callable[[], Any] | None = None


def drawn(*shape: int) -> np.ndarray:
    """Draw seeded normal numbers."""
    return np.random.default_rng([7, *shape]).standard_normal(shape).astype(np.float32)


IMAGE, SQUARE = (drawn(2, 4, 9, 11),), (drawn(6, 6, 8),)


def seeded(module: Any) -> Any:
    """Give a torch network the weights that the originals have."""
    seed_weights(module, 3)
    return module


def after(kind: Any, change: Callable[[Any], Any]) -> Any:
    """Make a class that does something more to what a layer returns, under the same name."""

    def forward(self: Any, *args: Any) -> Any:
        return change(kind.forward(self, *args))

    return type(kind.__name__, (kind,), {"forward": forward})


def scaled(kind: Any, factor: float) -> Any:
    """Make a class that returns too much or too little."""
    return after(kind, lambda x: x * factor)


def framed(kind: Any) -> Any:
    """Make a class that is wrong along the border alone."""

    def change(x: Any) -> Any:
        inside = paddle.zeros(x.shape[2:], x.dtype)
        inside[1:-1, 1:-1] = 1.0
        return x * (0.9 + 0.1 * inside)

    return after(kind, change)


def shortened(kind: Any) -> Any:
    """Make a class whose result is a column short."""
    return after(kind, lambda x: x[..., :-1])
