"""What took part in a check: versions for its report."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any, Protocol

from converters.command_line import package_version

if TYPE_CHECKING:
    from collections.abc import Iterable

LIBRARIES = ("torch", "paddle", "numpy")


def versions() -> dict[str, str]:
    """Give the versions of this package, Python and those libraries that are loaded."""
    loaded = {name: sys.modules[name].__version__ for name in LIBRARIES if name in sys.modules}
    return {**loaded, "python": platform.python_version(), "stdc-port": package_version()}


class Shaped(Protocol):
    """An array, or what is written down of one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""

    @property
    def dtype(self) -> Any:
        """Its type."""


def described(inputs: Iterable[Shaped]) -> tuple[str, ...]:
    """Give the type and shape of each input: 'float32 1×3×256×512'."""
    return tuple(f"{x.dtype} {'×'.join(map(str, x.shape)) or 'scalar'}" for x in inputs)
