"""Requests to stop, heard between two iterations."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT, SIGTERM
from types import FrameType

from converters.stopping import HEARD
from stdc_port.training.parallel import ALONE, Processes


class StoppedError(Exception):
    """Somebody asked the training to stop, and its state is on the disk.

    Attributes:
        signal: SIGTERM, SIGINT or SIGHUP.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal.Signals(number)


class StopRequest:
    """Whether somebody asked to stop, and by which signal.

    Attributes:
        number: of the signal, None before.
    """

    def __init__(self, processes: Processes = ALONE) -> None:
        self.number: int | None = None
        self._processes = processes

    def hear(self, number: int, _: FrameType | None = None) -> None:
        """Note a signal; the second one of its kind ends the process at once.

        But for Paddle's launcher, which sends SIGTERM three times within a second; and where a
        terminal is gone, which the system and the shell both tell.
        """
        impatient = "PADDLE_TRAINER_ID" not in os.environ and number in (SIGTERM, SIGINT)
        if self.number == number and impatient:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.number = number

    def agreed(self) -> bool:
        """Whether one of the processes was asked to; then all are. All must ask this together."""
        self.number = max(self._processes.gather(self.number or 0)) or None
        return self.number is not None


@contextmanager
def stop_request(processes: Processes = ALONE) -> Iterator[StopRequest]:
    """Note signals instead of being ended by them; in the main thread alone."""
    request = StopRequest(processes)
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    heard = [number for number in HEARD if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, request.hear) for number in heard}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
