"""A command that is asked to end (SIGTERM) does so in order: its temporary files are removed."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

#: What a shell calls a command that was asked to end.
TERMINATED = 143
# This part of Paddle, as it is loaded, sets a handler of its own for SIGTERM. That one prints a
# trace of C++ calls, leaves everything lying, and now and then waits for ever for a lock.
SETS_ITS_OWN = "paddle.base"


def end_in_order() -> None:
    """Let SIGTERM end the command by an exception, also once Paddle has been loaded.

    In the main thread alone, which is the one that hears signals.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    _hear()
    if SETS_ITS_OWN not in sys.modules and not any(isinstance(f, _After) for f in sys.meta_path):
        sys.meta_path.insert(0, _After())


def _hear() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))


class _After(MetaPathFinder):
    """Finds Paddle's part where it lies, and sets the handler again when it has been loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find that one module; leave all others to those that come next."""
        if fullname != SETS_ITS_OWN:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_hear(module: ModuleType) -> None:
            load(module)
            _hear()

        spec.loader.exec_module = load_and_hear  # type: ignore[method-assign]
        return spec
