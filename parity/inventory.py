"""What a network consists of: its modules by all their names, and its layers with weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from converters.layouts import Layer
from converters.layouts.target import layout_of
from parity.backends import backend_of

#: Kinds that one framework alone has, and what they are in the other.
SAME_KIND = {"inplace_abn": "batch_norm", "compat_linear": "linear"}
#: Kinds whose sublayers are others in either framework.
SPLIT = frozenset({"attention", "recurrent"})
Signature = tuple[str, tuple[tuple[str, tuple[int, ...]], ...]]


@dataclass(frozen=True)
class Unit:
    """A layer that the converter carries as one: a convolution, an attention, an LSTM.

    Attributes:
        path: Its path in its own network.
        torch_path: Its path as torch's classes would name it.
        signature: Its kind, and the shapes of its weights as torch has them. No settings, and no
            biases: what differs there is to be found, not to keep partners apart.
        folded: It is an in-place ABN, whose scale is |weight| + eps.
    """

    path: str
    torch_path: str
    signature: Signature
    folded: bool = False


@dataclass(frozen=True)
class Inventory:
    """The modules of a network.

    Attributes:
        network: A torch Module or paddle Layer.
    """

    network: Any

    @cached_property
    def _modules(self) -> dict[str, Any]:
        return dict(backend_of(self.network).modules(self.network))

    @property
    def paths(self) -> list[str]:
        """Every module's first path, parents first."""
        return list(self._modules)

    @cached_property
    def first(self) -> dict[str, str]:
        """First path of a module by each of its paths: a shared module has several."""
        by_module = {id(module): path for path, module in self._modules.items()}
        return {path: by_module[id(module)] for path, module in self._walk("", self.network)}

    def _walk(self, path: str, module: Any) -> Iterator[tuple[str, Any]]:
        yield path, module
        for name, child in backend_of(self.network).children(module):
            yield from self._walk(f"{path}.{name}" if path else name, child)

    @cached_property
    def units(self) -> dict[str, Unit]:
        """The layers with weights by path, in the order in which they are registered.

        Raises:
            converters.InputError: There is no conversion rule for a layer.
        """
        found = {}
        for layer in layout_of(self.network).layers:
            ours = backend_of(self.network).name == "torch" or layer.paddle is None
            path = self.first.get(layer.path if ours else str(layer.paddle))
            if path is not None and path not in found:
                folded = layer.kind == "inplace_abn"
                found[path] = Unit(path, layer.path, _signature(layer), folded)
        return found

    @cached_property
    def wrappers(self) -> list[str]:
        """Paths from the root down that hold all units, '' first: what merely wraps the network."""
        inner = (path for path in self.paths if path)
        return ["", *(path for path in inner if all(_within(unit, path) for unit in self.units))]

    def kind(self, path: str) -> str:
        """Give the class of the module at a first path."""
        return type(self._modules[path]).__name__

    def children(self, path: str) -> list[str]:
        """Give the names of the children of the module at a first path."""
        return [name for name, _ in backend_of(self.network).children(self._modules[path])]

    def is_part(self, path: str) -> bool:
        """Tell whether a unit lies inside another that the frameworks split up differently."""
        outer = (self.units[one] for one in _outer(path) if one in self.units)
        return any(unit.signature[0] in SPLIT for unit in outer)

    def inside(self, path: str) -> frozenset[str]:
        """Give the paths of the units below a module."""
        return self._inside.get(path, frozenset())

    @cached_property
    def _inside(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for unit in self.units:
            for path in _outer(unit):
                found.setdefault(path, set()).add(unit)
        return {path: frozenset(units) for path, units in found.items()}


def _outer(path: str) -> Iterator[str]:
    """Yield the paths of the modules around a module, from within."""
    while path:
        path = path.rpartition(".")[0]
        yield path


def _within(path: str, outer: str) -> bool:
    return not outer or path == outer or path.startswith(f"{outer}.")


def _signature(layer: Layer) -> Signature:
    rows = (row for row in layer.rows if row.paddle is not None and not row.zero)
    told = {row.torch for row in rows} - {"bias"}
    shapes = ((name, tuple(shape)) for name, shape in layer.shapes.items() if name in told)
    return SAME_KIND.get(layer.kind, layer.kind), tuple(sorted(shapes))
