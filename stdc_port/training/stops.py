"""Requests to stop, heard between two iterations."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StoppedError(Exception):
    """Somebody asked the training to stop, and its state is on the disk.

    Attributes:
        signal: SIGTERM or SIGINT.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal.Signals(number)


class StopRequest:
    """Whether somebody asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.number: int | None = None

    def hear(self, number: int, _: FrameType | None = None) -> None:
        """Note a signal; the second one of its kind ends the process at once."""
        if self.number == number:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.number = number


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Note SIGTERM and SIGINT instead of being ended by them; in the main thread alone."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.hear) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
