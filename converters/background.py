"""Work that goes on beside the rest: hashing a file while numpy is loaded or tensors compared."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

Result = TypeVar("Result")
# Large, since each block waits for its turn among Python's threads. Read, not mapped: a file that
# somebody cuts off meanwhile would end the process.
BLOCK = 4 << 20


class Opened(Protocol):
    """A file that stays open, so that another one may get its name."""

    def reopened(self) -> io.FileIO:
        """Return it from its beginning."""


class Background(Generic[Result]):
    """A function that runs in a thread of its own, which dies with the process.

    Args:
        function: what to run; hashing, reading and writing let other threads go on meanwhile.
    """

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again where the result is wanted
            self._error = error

    _error: BaseException | None = None

    def result(self) -> Result:
        """Wait for the function and return its result, or raise what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result


def sha256_of(files: Sequence[Path | Opened], finished: threading.Event | None = None) -> str:
    """Return the SHA-256 of files, one after the other.

    Args:
        files: by their names, or open.
        finished: set once nothing more is added to them; None if they are whole already.

    Raises:
        OSError: one cannot be read.
    """
    digest, block = hashlib.sha256(), memoryview(bytearray(BLOCK))
    for one in files:
        with io.FileIO(one) if isinstance(one, Path) else one.reopened() as file:
            while True:
                # Asked before reading: what is read after it is all there will be.
                whole = finished is None or finished.is_set()
                count = file.readinto(block)
                digest.update(block[:count])
                if not count and whole:
                    break
                if not count and finished is not None:
                    finished.wait(0.002)
    return digest.hexdigest()


def digest_of(*files: Path | Opened, finished: threading.Event | None = None) -> Background[str]:
    """Start to compute the SHA-256 of files, one after the other; see :func:`sha256_of`."""
    return Background(lambda: sha256_of(files, finished))
