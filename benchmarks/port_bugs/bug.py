"""One planted bug, and the port that has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np

from benchmarks.port_bugs.causes import kind_of
from benchmarks.port_bugs.edits import Edit
from benchmarks.port_bugs.network import NETWORKS, original

Check = Literal["forward", "backward", "loss", "train"]
Arrays = Mapping[str, np.ndarray]
#: Gives the tensors that are wrong, from the right ones and those of a fresh network.
Plant = Callable[[Arrays, Arrays], Arrays]


@dataclass(frozen=True)
class Bug:
    """What is wrong with a port, and what a good tool says of it.

    Attributes:
        network: key of NETWORKS.
        cause: key of CAUSES.
        layer: path in the torch network of the layer at fault, '' for the network's own forward;
            None where the fault lies in no layer but in the loss or the optimizer.
        edits: of the port's source.
        plant: of its weights, after a right conversion.
        check: the first check that can find it.
        accept: other answers to 'which layer' that are as right.
    """

    network: str
    cause: str
    layer: str | None
    edits: tuple[Edit, ...] = ()
    plant: Plant | None = None
    check: Check = "forward"
    accept: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """A short unique name."""
        where = "–" if self.layer is None else self.layer or "''"
        return f"{self.network}: {self.cause} in {where}"

    @property
    def kind(self) -> str:
        """Which kind of cause it is."""
        return kind_of(self.cause)

    @property
    def transfer(self) -> bool:
        """Whether the weights may cross over in the check; not where they are the fault."""
        return self.plant is None

    def places(self) -> tuple[str, ...]:
        """Return the right answers to 'which layer'."""
        return () if self.layer is None else (self.layer, *self.accept)

    def port(self) -> ModuleType:
        """Return the port's source with the bug in it, run."""
        return NETWORKS[self.network].port(*self.edits)

    def build(self) -> Any:
        """Return a fresh paddle network with the bug in it, and wrong weights if they are it."""
        layer = self.port().build()
        if self.plant is not None:
            plant_weights(original(self.network), layer, self.plant)
        return layer


def plant_weights(module: Any, layer: Any, plant: Plant | None = None) -> None:
    """Give a paddle network torch's weights, some of them wrong."""
    import paddle

    from parity.weights import load, paddle_arrays, transfer

    fresh = paddle_arrays(layer)
    right = transfer(module, layer)
    load(layer, right)
    wrong = plant(right, fresh) if plant else {}
    state = layer.state_dict()
    with paddle.no_grad():
        for key, value in wrong.items():
            state[key].set_value(np.ascontiguousarray(value, right[key].dtype))


def edited(network: str, cause: str, layer: str | None, *texts: str, **options: Any) -> Bug:
    """Return a bug that is an edit of the source.

    Args:
        network: key of NETWORKS.
        cause: key of CAUSES.
        layer: see Bug.
        texts: old and new in turn.
        options: `source` of the edits, and Bug's check and accept.
    """
    source = options.pop("source", "")
    pairs = zip(texts[::2], texts[1::2], strict=True)
    edits = tuple(Edit(old, new, source) for old, new in pairs)
    return Bug(network, cause, layer, edits, **options)


def planted(network: str, cause: str, layer: str, plant: Plant, **options: Any) -> Bug:
    """Return a bug in the weights; options are Bug's."""
    return Bug(network, cause, layer, plant=plant, **options)
