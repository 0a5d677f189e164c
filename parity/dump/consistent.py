"""What must hold between the values of a dump, so that whoever works with them finds his way.

Each value is of its type by now. What is yielded is what is wrong, in words; nothing if all holds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from converters.entries import ACTIONS
from converters.errors import brief
from converters.transforms import TRANSFORMS
from parity.error_map import LARGEST_SIDE
from parity.record import Record

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from converters.entries import Entry
    from parity.dump.manifest import Input
    from parity.dump.parameters import Parameter
    from parity.error_map import ErrorMap
    from parity.forced import ForcedCall
    from parity.inventory import Inventory
    from parity.isolate import Forced
    from parity.record import CallKey, Event

# Characters of all paths and of all that lies above them: a network of 50 000 modules has a tenth.
_LONGEST_PATHS = 1 << 27


@dataclass
class Nested:
    """Follows the events of a run: calls inside calls, each once.

    Attributes:
        paths: Of the network's modules.
    """

    paths: set[str]
    _started: set[CallKey] = field(default_factory=set)
    _ended: set[CallKey] = field(default_factory=set)

    def oddities(self, event: Event) -> Iterator[str]:
        """Say what is wrong with the next event."""
        done = self._ended if isinstance(event, Record) else self._started
        what = f"call {event.call} of {brief(event.path)}"
        if event.key in done:
            yield f"{what} is there twice"
        if event.path not in self.paths:
            yield f"{what} is of no module in the list"
        if event.parent is not None and event.parent[0] not in self.paths:
            yield f"{what} lies in {brief(event.parent)}, which is no module in the list"
        if event.parent in self._ended or event.parent == event.key:
            yield f"{what} lies in one that had ended"
        if isinstance(event, Record):
            yield from _twice("slot", [value.slot for value in event.outputs])
        yield from _twice("slot", [value.slot for value in event.inputs])
        done.add(event.key)


def oddities_of_inputs(inputs: Sequence[Input]) -> Iterator[str]:
    """Say what is wrong with the list of inputs."""
    names = [given.name for given in inputs]
    yield from _twice("input", [name for name in names if name])
    if any(names[: names.count("")]):
        yield "an input by position stands behind one by name"


def oddities_of_inventory(inventory: Inventory) -> Iterator[str]:
    """Say what is wrong with the list of modules."""
    paths = [module.path for module in inventory.modules]
    known = set(paths)
    yield from _twice("module", paths)
    if "" not in known or not known <= inventory.first.keys():
        yield "a module is missing"
    if sum(path.count(".") * (len(path) + 200) for path in inventory.first) > _LONGEST_PATHS:
        yield "its modules are nested without end"
    if strange := [path for path in inventory.first.values() if path not in known]:
        yield f"{brief(strange[0])} is no module in the list"
    for path, unit in inventory.units.items():
        if path not in known or unit.path != path:
            yield f"layer {brief(path)} is no module in the list"


def oddities_of_parameters(parameters: Iterable[Parameter]) -> Iterator[str]:
    """Say what is wrong with a list of parameters."""
    found = list(parameters)
    yield from _twice("parameter", [name for parameter in found for name in parameter.names])
    for parameter in found:
        gradient = parameter.gradient
        if not parameter.names:
            yield "a parameter has no name"
        if gradient is not None and gradient.shape != parameter.shape:
            yield f"the gradient by {brief(parameter.names)} has another shape"


def oddities_of_entries(
    entries: Mapping[str, Sequence[Entry]], names: Container[str]
) -> Iterator[str]:
    """Say what is wrong with the entries of a conversion to parameters of some names."""
    for entry in (entry for found in entries.values() for entry in found):
        for target in entry.targets:
            if target not in names:
                yield f"there is no parameter {brief(target)}"
        if not entry.targets or len(entry.sources) != 1:
            yield f"{brief(entry.source)} does not become {brief(entry.target)}"
        if entry.action not in ACTIONS:
            yield f"there is no action {brief(entry.action)}"
        if entry.transform not in TRANSFORMS:
            yield f"there is no transform {brief(entry.transform)}"


def oddities_of_forced(forced: Forced) -> Iterator[str]:
    """Say what is wrong with the runs on another dump's values."""
    for run in forced.runs.values():
        for key, call in run.items():
            if call.key != key or call.start >= call.end:
                yield f"call {brief(key)} is another one"
            if call.parent is not None and not _inside(call, run.get(call.parent)):
                yield f"call {brief(key)} lies in {brief(call.parent)}, which does not hold it"
            for slot in (*call.given.values(), *call.outputs.values()):
                yield from _of_map(slot.where)


def _inside(call: ForcedCall, parent: ForcedCall | None) -> bool:
    return parent is not None and parent.start < call.start and call.end < parent.end


def _of_map(found: ErrorMap | None) -> Iterator[str]:
    if found is None:
        return
    widths = {len(row) for row in found.cells}
    if len(widths) != 1 or max(len(found.cells), *widths) > LARGEST_SIDE or 0 in widths:
        yield "an error map is no picture"


def _twice(what: str, names: Sequence[str]) -> Iterator[str]:
    if len(set(names)) < len(names):
        ((most, _),) = Counter(names).most_common(1)
        yield f"{what} {brief(most)} is there twice"
