"""A command that is asked to end (SIGTERM) does so in order: its temporary files are removed."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

#: What a shell calls a command that was asked to end, and one that Ctrl-C ended.
TERMINATED, INTERRUPTED = 143, 130
# This part of Paddle, as it is loaded, sets a handler of its own for SIGTERM. That one prints a
# trace of C++ calls, leaves everything lying, and now and then waits for ever for a lock.
SETS_ITS_OWN = "paddle.base"


def end_in_order() -> None:
    """Let SIGTERM end the command by an exception, also once Paddle has been loaded.

    In the main thread alone, which is the one that hears signals.
    """
    global _asked  # noqa: PLW0603 - a process has one such signal
    if threading.current_thread() is not threading.main_thread():
        return
    _asked = False
    _hear()
    if SETS_ITS_OWN not in sys.modules and not any(isinstance(f, _After) for f in sys.meta_path):
        sys.meta_path.insert(0, _After())


def code_of_end(error: BaseException) -> int | None:
    """Exit code that a signal asked for; None where an error is not from a signal.

    A library that is loaded when the signal comes may take it for an error of its own: Paddle's
    says that it cannot be imported, and keeps the signal as the cause.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, KeyboardInterrupt):
            return INTERRUPTED
        if isinstance(cause, SystemExit) and cause.code == TERMINATED:
            return TERMINATED
        cause = cause.__cause__ or cause.__context__
    return None


def was_asked() -> bool:
    """Whether SIGTERM came: Python passes over exceptions in callbacks of its own."""
    return _asked


def _hear() -> None:
    signal.signal(signal.SIGTERM, _end)


def _end(*_: object) -> None:
    global _asked  # noqa: PLW0603 - a process has one such signal
    _asked = True
    sys.exit(TERMINATED)


_asked = False


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
