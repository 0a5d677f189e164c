"""What a network consists of: its modules by all their names, and its layers with weights.

Values only, so that a dump can hold them: who is whose partner can then be told without either
network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from converters import ConverterError
from converters.layouts import Layer
from converters.layouts.target import layout_of
from parity.backends import backend_of

if TYPE_CHECKING:
    from parity.backends import Backend

#: Kinds that one framework alone has, and what they are in the other.
SAME_KIND = {"inplace_abn": "batch_norm", "compat_linear": "linear"}
#: Kinds whose sublayers are others in either framework.
SPLIT = frozenset({"attention", "recurrent"})
Signature = tuple[str, tuple[tuple[str, tuple[int, ...]], ...]]


@dataclass(frozen=True)
class Module:
    """One module of a network, called or not.

    Attributes:
        path: Its path, '' for the network; the first one of a shared module.
        kind: Its class.
        weights: It registers parameters of its own.
    """

    path: str
    kind: str
    weights: bool


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
        modules: All of them, parents first.
        first: First path of a module by each of its paths: a shared module has several.
        units: The layers with weights by path, in the order in which they are registered.
        keys: Of the state dict.
        unknown: Why there are no units, '' where there are: a layer without a conversion rule.
    """

    modules: tuple[Module, ...]
    first: Mapping[str, str]
    units: Mapping[str, Unit] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def paths(self) -> list[str]:
        """Every module's first path, parents first."""
        return list(self._kinds)

    @cached_property
    def _kinds(self) -> dict[str, str]:
        return {module.path: module.kind for module in self.modules}

    @cached_property
    def wrappers(self) -> list[str]:
        """Paths from the root down that hold all units, '' first: what merely wraps the network."""
        inner = (path for path in self.paths if path)
        return ["", *(path for path in inner if all(_within(unit, path) for unit in self.units))]

    def kind(self, path: str) -> str:
        """Give the class of the module at a first path."""
        return self._kinds[path]

    def children(self, path: str) -> list[str]:
        """Give the names of the children of the module at a first path."""
        inner = (one.rpartition(".") for one in self.first if one)
        return [name for outer, _, name in inner if outer == path]

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


def inventory_of(network: Any) -> Inventory:
    """Look through a torch Module or paddle Layer."""
    backend = backend_of(network)
    modules = dict(backend.modules(network))
    by_module = {id(module): path for path, module in modules.items()}
    first = {path: by_module[id(module)] for path, module in _walk(backend, "", network)}
    units, unknown = _units(network, first)
    return Inventory(modules_of(network), first, units, tuple(network.state_dict()), unknown)


def modules_of(network: Any) -> tuple[Module, ...]:
    """List a network's modules, parents first."""
    backend = backend_of(network)
    return tuple(
        Module(path, type(module).__name__, backend.holds_weights(module))
        for path, module in backend.modules(network)
    )


def _walk(backend: Backend, path: str, module: Any) -> Iterator[tuple[str, Any]]:
    yield path, module
    for name, child in backend.children(module):
        yield from _walk(backend, f"{path}.{name}" if path else name, child)


def _units(network: Any, first: Mapping[str, str]) -> tuple[dict[str, Unit], str]:
    """Give the units, or why they cannot be had."""
    try:
        layers = layout_of(network).layers
    except ConverterError as error:
        return {}, str(error)
    found: dict[str, Unit] = {}
    for layer in layers:
        ours = backend_of(network).name == "torch" or layer.paddle is None
        path = first.get(layer.path if ours else str(layer.paddle))
        if path is not None and path not in found:
            folded = layer.kind == "inplace_abn"
            found[path] = Unit(path, layer.path, _signature(layer), folded)
    return found, ""


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
