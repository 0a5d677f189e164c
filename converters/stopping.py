"""A command that a signal asks to end does so in order: its temporary files go."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

# This part of Paddle, as it is loaded, sets a handler of its own for SIGTERM. That one prints a
# trace of C++ calls, leaves everything lying, and now and then waits for ever for a lock.
SETS_ITS_OWN = "paddle.base"
# Signals that ask a command to end; the last where its terminal is gone, with the connection.
HEARD = (signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
# What a shell calls a command that a signal ended.
SIGNALLED = 128
# Seconds after which a signal comes again that Python passed over.
AGAIN = 0.02


def end_in_order() -> None:
    """Let signals end the command by an exception, also once Paddle has been loaded.

    And let no signal be lost: Python passes over an exception, and so over SIGTERM and Ctrl-C,
    where nobody can catch it, in a finalizer or the callback of a weak reference. In the main
    thread alone, which is the one that hears signals.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    _hear()
    if not isinstance(sys.unraisablehook, _Again):
        sys.unraisablehook = _Again(sys.unraisablehook)
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
            return SIGNALLED + signal.SIGINT
        if isinstance(cause, SystemExit) and cause.code in {SIGNALLED + one for one in HEARD}:
            return int(str(cause.code))
        cause = cause.__cause__ or cause.__context__
    return None


@contextmanager
def held_back() -> Iterator[None]:
    """Let signals that come meanwhile come afterwards; in the main thread alone, which hears them.

    They are noted, not blocked alone: other threads, as those of torch's products, hear signals for
    this one, which is told at once. What is not Python's own to hear is blocked alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    ours = [number for number in HEARD if callable(signal.getsignal(number))]
    before = [signal.signal(number, lambda it, _: came.append(it)) for number in ours]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    try:
        yield
    finally:
        for number, handler in zip(ours, before, strict=True):
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if came:
            signal.raise_signal(came[0])


def _hear() -> None:
    for number in HEARD:  # nohup ignores one; Ctrl-C raises an exception of its own
        if number != signal.SIGINT and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, _: object) -> None:
    sys.exit(SIGNALLED + number)


def _come_again(number: int) -> None:
    # Not at once: an exception in the hook for what is passed over is passed over, too.
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(number))
    signal.setitimer(signal.ITIMER_REAL, AGAIN)


class _Again:
    """Hears what Python passes over, and sends the signal again that was among it."""

    def __init__(self, others: Callable[[UnraisableHookArgs], object]) -> None:
        self._others = others

    def __call__(self, passed_over: UnraisableHookArgs) -> None:
        error = passed_over.exc_value
        code = None if error is None else code_of_end(error)
        if code is None:
            self._others(passed_over)
        elif isinstance(error, KeyboardInterrupt | SystemExit):
            _come_again(code - SIGNALLED)
        # What else goes wrong while a signal ends the command needs no word.


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
            with held_back():  # amid it Paddle would say that it cannot be imported
                load(module)

        spec.loader.exec_module = load_and_hear  # type: ignore[method-assign]
        return spec
