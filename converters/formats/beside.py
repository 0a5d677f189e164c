"""Python's own objects that training scripts save beside the weights: known, and none is made.

A schedule holds a ``Counter``, a run its arguments as a ``Namespace``. Containers become dicts and
tuples, so that tensors inside are found; of anything else the name alone is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converters.formats.pickle_values import Buildable, Known


class Opaque(Buildable):
    """An object of the file that nothing looks into."""

    # It may be a key in a dict.
    __hash__ = object.__hash__

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        """Return the name of its class."""
        return self.name

    def build(self, state: Any) -> None:
        """Take the object's state, which nobody needs."""


def _counter(items: Any = ()) -> dict[Any, Any]:
    return dict(items)


def _default_dict(*_: Any) -> dict[Any, Any]:
    # The items follow; what makes a missing one is not needed.
    return {}


_CONTAINERS: dict[str, Callable[..., Any]] = {
    "collections.Counter": _counter,
    "collections.defaultdict": _default_dict,
    "builtins.set": list,
    "builtins.frozenset": tuple,
}
_OBJECTS = (
    *("builtins.bytearray", "builtins.complex", "builtins.slice"),
    *("builtins.range", "builtins.xrange"),
    *("argparse.Namespace", "types.SimpleNamespace"),
    *("pathlib.PosixPath", "pathlib.PurePosixPath"),
    *("pathlib.WindowsPath", "pathlib.PureWindowsPath"),
    *("pathlib._local.PosixPath", "pathlib._local.WindowsPath"),  # as Python 3.13 spells them
)
# What a defaultdict makes its values with; torch.save spells int and str as Python 2 did.
_MAKERS = ("bool", "dict", "float", "int", "list", "str", "long", "unicode")
_NAMES = tuple(f"builtins.{name}" for name in _MAKERS)


def _opaque(name: str) -> Known:
    # The arguments stay unused: a file could ask for a bytearray of any size.
    return Known(name, call=lambda *_: Opaque(name))


def _rows() -> dict[str, Known]:
    containers = {name: Known(name, call=call) for name, call in _CONTAINERS.items()}
    objects = {name: _opaque(name) for name in _OBJECTS}
    return containers | objects | {name: Known(name) for name in _NAMES}


def _spellings(name: str) -> list[tuple[str, str]]:
    module, _, attribute = name.rpartition(".")
    modules = (module, "__builtin__") if module == "builtins" else (module,)
    return [(one, attribute) for one in modules]


BESIDE_GLOBALS = {spelt: known for name, known in _rows().items() for spelt in _spellings(name)}
