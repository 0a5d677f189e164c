"""Which paddle parameter is which torch one, and how gradients by them compare.

The converter's plan says it, as it does for the weights. A gradient goes the plan's way back by
the chain rule: a transposed weight's gradient is transposed, that of a folded in-place ABN scale
|w| + eps is multiplied by the sign of w. So both frameworks' gradients are by torch's parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from converters import ConverterError
from converters.elements import pulled_back
from converters.entries import Entry
from converters.execution import written_entries
from parity.backends.autograd import autograd_of
from parity.pair import renamed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from parity.weights import Keys

#: What `paddle.nn.Layer.state_dict` gives by name.
Tensors = dict[str, Any]
#: From a paddle parameter to its gradient, or whatever else belongs to it.
Of = "Callable[[Any], np.ndarray | None]"


@dataclass(frozen=True)
class Way:
    """One or several paddle parameters that hold a torch parameter.

    Attributes:
        targets: The paddle parameters, the parts of a split in order.
        entry: The converter's entry that made them.
    """

    targets: tuple[Any, ...]
    entry: Entry

    def back(self, found: Sequence[np.ndarray | None], values: np.ndarray) -> np.ndarray | None:
        """Carry arrays by the targets back to the source; absent ones are zero.

        Returns:
            None if all are absent.
        """
        if all(array is None for array in found):
            return None
        whole = [
            np.zeros(target.shape, values.dtype) if array is None else array
            for target, array in zip(self.targets, found, strict=True)
        ]
        return pulled_back(self.entry, whole, values)


@dataclass(frozen=True)
class Partners:
    """A torch parameter and what holds it in paddle.

    Attributes:
        name: Its first name in torch.
        parameter: The torch parameter.
        ways: Where it went; several where paddle does not tie what torch ties.
    """

    name: str
    parameter: Any
    ways: tuple[Way, ...]

    @property
    def targets(self) -> list[Any]:
        """All the paddle parameters."""
        return [target for way in self.ways for target in way.targets]

    def pulled(self, of: Callable[[Any], np.ndarray | None]) -> np.ndarray | None:
        """Give what paddle has by this parameter, in torch's layout; of tied ones the sum."""
        values = self.parameter.detach().cpu().numpy()
        parts = [way.back([of(target) for target in way.targets], values) for way in self.ways]
        found = [part for part in parts if part is not None]
        return sum(found[1:], start=found[0]) if found else None


def partners(
    torch_module: Any, paddle_layer: Any, keys: Keys
) -> tuple[tuple[Partners, ...], tuple[str, ...]]:
    """Pair the parameters of two networks.

    Args:
        torch_module: The reference, its parameters holding what paddle's were converted from.
        paddle_layer: The network in question.
        keys: How torch's keys become paddle's.

    Returns:
        A pair for each torch parameter that has a partner, and what is to be known.
    """
    ours = dict(autograd_of(torch_module).parameters(torch_module))
    theirs = dict(autograd_of(paddle_layer).parameters(paddle_layer))
    notes: tuple[str, ...] = ()
    try:
        entries = _entries(torch_module, paddle_layer, keys)
    except ConverterError as error:
        notes = (f"parameters were paired by name, not by a conversion: {error}",)
        entries = _by_name(keys.rename, ours, theirs)
    found: dict[int, Partners] = {}
    for name, parameter in ours.items():
        known = found.get(id(parameter), Partners(name, parameter, ()))
        ways = _new_ways(known, entries.get(name, ()), theirs)
        found[id(parameter)] = Partners(known.name, parameter, (*known.ways, *ways))
    return tuple(pair for pair in found.values() if pair.ways), notes


def _new_ways(known: Partners, entries: Sequence[Entry], theirs: Tensors) -> list[Way]:
    taken = {id(target) for target in known.targets}
    ways = [Way(tuple(theirs[key] for key in entry.targets), entry) for entry in entries]
    return [way for way in ways if not taken & {id(target) for target in way.targets}]


def _entries(torch_module: Any, paddle_layer: Any, keys: Keys) -> dict[str, list[Entry]]:
    """Give the converter's entries by torch's names.

    Raises:
        ConverterError: The converter does not know the network, or refuses it.
    """
    plan, names = keys.planned(torch_module, paddle_layer)
    plan.require_complete()
    found: dict[str, list[Entry]] = {}
    for entry in written_entries(plan):
        for source in entry.sources:
            found.setdefault(names[source], []).append(entry)
    return found


def _by_name(rename: Mapping[str, str], ours: Tensors, theirs: Tensors) -> dict[str, list[Entry]]:
    """Pair by name where the values agree, as they are or transposed: that tells the layout."""
    found = {}
    for name, parameter in ours.items():
        key = renamed(name, rename)
        layout = _layout(parameter, theirs[key]) if key in theirs else ""
        if layout:
            shape = tuple(theirs[key].shape)
            found[name] = [Entry(name, key, layout, shape, "float32", transform=layout)]
    return found


def _layout(parameter: Any, other: Any) -> str:
    one, two = parameter.detach().cpu().numpy(), other.numpy()
    for transform, array in (("copy", one), ("transpose", one.T)):
        if array.shape == two.shape and np.allclose(array, two, rtol=1e-5, atol=1e-8):
            return transform
    return ""
