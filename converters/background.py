"""Work that goes on beside the rest: hashing a file while numpy is loaded or tensors compared."""

from __future__ import annotations

import hashlib
import mmap
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

Result = TypeVar("Result")
# Hashed at a time. Large, since a thread waits for its turn between two blocks; mapped, not read,
# since that takes one turn a block and no memory.
BLOCK = 8 << 20


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


def sha256_of(paths: Sequence[Path], finished: threading.Event | None = None) -> str:
    """Return the SHA-256 of files, one after the other.

    Args:
        paths: the files.
        finished: set once nothing more is added to them; None if they are whole already.

    Raises:
        OSError: one cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            for block in mapped_blocks(file, finished):
                digest.update(block)
    return digest.hexdigest()


def mapped_blocks(file: BinaryIO, finished: threading.Event | None) -> Iterator[mmap.mmap]:
    """Yield a file's content, a block mapped at a time; wait for more until it is finished."""
    done = 0
    while True:
        # Asked before the size: what there is after it is all there will be.
        whole = finished is None or finished.is_set()
        size = min(os.fstat(file.fileno()).st_size - done, BLOCK)
        if size == BLOCK or (size and whole):
            with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ, offset=done) as block:
                yield block
            done += size
        elif whole:
            return
        elif finished is not None:
            finished.wait(0.002)


def digest_of(*paths: Path, finished: threading.Event | None = None) -> Background[str]:
    """Start to compute the SHA-256 of files, one after the other; see :func:`sha256_of`."""
    return Background(lambda: sha256_of(paths, finished))
