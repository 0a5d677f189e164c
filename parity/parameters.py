"""Which paddle parameter or buffer is which torch one, and how gradients by them compare.

The converter's plan says it, as it does for the weights. A gradient goes the plan's way back by
the chain rule: a transposed weight's gradient is transposed, that of a folded in-place ABN scale
|w| + eps is multiplied by the sign of w. So both frameworks' gradients are by torch's parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from converters import ConverterError
from converters.elements import pulled_back, target_arrays
from converters.entries import Entry
from converters.execution import written_entries
from converters.state_dict import lazy
from converters.transforms import TRANSFORMS
from parity.arguments import as_array
from parity.backends.autograd import autograd_of
from parity.pair import renamed
from parity.weights import briefly

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

    def back(
        self, found: Sequence[np.ndarray | None], values: np.ndarray, power: int
    ) -> np.ndarray | None:
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
        return pulled_back(self.entry, whole, values, power=power)

    def carried(self, values: np.ndarray) -> list[np.ndarray]:
        """Carry the source's values to the targets."""
        entry = replace(self.entry, dtype=values.dtype.name)
        (source,) = entry.sources
        arrays = target_arrays({source: lazy(source, values)}, entry)
        return [arrays[target] for target in entry.targets]

    def forth(self, found: np.ndarray, values: np.ndarray, power: int) -> list[np.ndarray]:
        """Carry what was made of the source's gradient to the targets; undoes `back`.

        Args:
            found: Of the source's shape.
            values: The source.
            power: Of the gradient in it.
        """
        slope = TRANSFORMS[self.entry.transform].slope
        if slope is None or self.entry.inverse:
            return self.carried(found)
        return [found / slope(values) ** power]


@dataclass(frozen=True)
class Partners:
    """A torch parameter or buffer, and what holds it in paddle.

    Attributes:
        name: Its first name in torch.
        parameter: The torch tensor.
        ways: Where it went; several where paddle does not tie what torch ties.
        buffer: It is a buffer.
    """

    name: str
    parameter: Any
    ways: tuple[Way, ...]
    buffer: bool = False

    @property
    def values(self) -> np.ndarray:
        """Torch's values."""
        return as_array(self.parameter)

    @property
    def targets(self) -> list[Any]:
        """All the paddle parameters."""
        return [target for way in self.ways for target in way.targets]

    def pulled(
        self, of: Callable[[Any], np.ndarray | None], *, power: int = 1
    ) -> np.ndarray | None:
        """Give what paddle has by this parameter, in torch's layout; of tied ones the sum.

        Args:
            of: From a paddle parameter to its gradient, or what an optimizer made of it.
            power: Of the gradient in what is carried: 2 for a mean of squares.
        """
        values = self.values
        parts = [
            way.back([of(target) for target in way.targets], values, power) for way in self.ways
        ]
        found = [part for part in parts if part is not None]
        return sum(found[1:], start=found[0]) if found else None


def partners(
    torch_module: Any, paddle_layer: Any, keys: Keys
) -> tuple[tuple[Partners, ...], tuple[str, ...]]:
    """Pair the parameters and buffers of two networks.

    Args:
        torch_module: The reference, its parameters holding what paddle's were converted from.
        paddle_layer: The network in question.
        keys: How torch's keys become paddle's.

    Returns:
        A pair for each torch tensor that has a partner, and what is to be known.
    """
    ours = dict(autograd_of(torch_module).tensors(torch_module))
    theirs = dict(autograd_of(paddle_layer).tensors(paddle_layer))
    notes: tuple[str, ...] = ()
    try:
        entries = entries_between(torch_module, paddle_layer, keys)
    except ConverterError as error:
        notes = (f"parameters were paired by name, not by a conversion: {briefly(error)}",)
        entries = entries_by_name(keys.rename, ours, theirs)
    return joined(ours, theirs, entries), notes


def partners_by_name(torch_module: Any, paddle_layer: Any) -> tuple[Partners, ...]:
    """Pair the tensors of two networks that the converter has no business with: of losses."""
    ours = dict(autograd_of(torch_module).tensors(torch_module))
    theirs = dict(autograd_of(paddle_layer).tensors(paddle_layer))
    return joined(ours, theirs, entries_by_name({}, ours, theirs))


def joined(
    ours: Tensors, theirs: Tensors, entries: Mapping[str, Sequence[Entry]]
) -> tuple[Partners, ...]:
    """Pair tensors as the converter's entries by torch's names say."""
    found: dict[int, Partners] = {}
    for name, tensor in ours.items():
        known = found.get(id(tensor), Partners(name, tensor, (), buffer=not is_parameter(tensor)))
        ways = _new_ways(known, entries.get(name, ()), theirs)
        found[id(tensor)] = replace(known, ways=(*known.ways, *ways))
    return tuple(pair for pair in found.values() if pair.ways)


def is_parameter(tensor: Any) -> bool:
    """Tell whether a tensor of torch's is a parameter, not a buffer; by its class's name."""
    return any(cls.__name__ == "Parameter" for cls in type(tensor).__mro__)


def _new_ways(known: Partners, entries: Sequence[Entry], theirs: Tensors) -> list[Way]:
    taken = {id(target) for target in known.targets}
    ways = [Way(tuple(theirs[key] for key in entry.targets), entry) for entry in entries]
    return [way for way in ways if not taken & {id(target) for target in way.targets}]


def entries_between(torch_module: Any, paddle_layer: Any, keys: Keys) -> dict[str, list[Entry]]:
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


def entries_by_name(
    rename: Mapping[str, str], ours: Tensors, theirs: Tensors
) -> dict[str, list[Entry]]:
    """Pair by name, as they are or transposed: the values tell, or else the shapes."""
    found = {}
    for name, parameter in ours.items():
        key = renamed(name, rename)
        layout = _layout(parameter, theirs[key]) if key in theirs else ""
        if layout:
            shape = tuple(theirs[key].shape)
            found[name] = [Entry(name, key, layout, shape, "float32", transform=layout)]
    return found


def _layout(tensor: Any, other: Any) -> str:
    """Tell the layout in which the values agree, or else the shapes."""
    one, two = as_array(tensor), as_array(other)
    ways = {"copy": one, "transpose": one.T}
    fit = [way for way, array in ways.items() if array.shape == two.shape]
    agree = [way for way in fit if np.allclose(ways[way], two, rtol=1e-5, atol=1e-8)]
    return next(iter([*agree, *fit]), "")
