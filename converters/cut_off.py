"""The end of a command whose file was cut off while its bytes were looked at.

Between a look at a mapped file's size and the reading there is a moment, and what is read beyond
the end of a file raises SIGBUS, of which Python's own handlers never hear: they run once the
instruction is done, and this one never is. So the handler is C's, and ends the process.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import cache
from typing import Any

from converters.mapped import OPEN

STDERR, COULD_NOT = 2, 2


@cache
def tell_of_files_cut_off() -> Any:
    """From now on end with one line and exit code 2 where a file was cut off, instead of SIGBUS.

    What was begun beside a target stays until the next run, as after SIGKILL.

    Returns:
        What C calls, which has to be kept; None on a system that has no such signal.
    """
    if not hasattr(signal, "SIGBUS"):
        return None
    import ctypes

    handle: Callable[..., Any] = ctypes.CDLL(None).signal
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int)

    def heard(number: int) -> None:
        end_if_cut_off()
        # Something else is wrong: the instruction is tried again, and the system ends the process.
        handle(number, kind(0))

    handler = kind(heard)
    handle(signal.SIGBUS, handler)
    return handler


def end_if_cut_off() -> None:
    """End the process with one line if an open file is shorter than it was."""
    for file in tuple(OPEN):
        if file.size() < file.length:
            os.write(STDERR, f"error: {file.other_size()}\n".encode(errors="backslashreplace"))
            os._exit(COULD_NOT)
