"""What took part in a check: versions for its report."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

from converters.command_line import package_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

LIBRARIES = ("torch", "paddle", "numpy")


def versions() -> dict[str, str]:
    """Give the versions of this package, Python and those libraries that are loaded."""
    loaded = {name: sys.modules[name].__version__ for name in LIBRARIES if name in sys.modules}
    return {**loaded, "Python": platform.python_version(), "stdc-port": package_version()}


def described(inputs: Iterable[np.ndarray]) -> tuple[str, ...]:
    """Give the type and shape of each array: 'float32 [1, 3, 256, 512]'."""
    return tuple(f"{array.dtype} {list(array.shape)}" for array in inputs)
