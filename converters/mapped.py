"""A file that is read: mapped into memory, and looked at again as others may change it meanwhile.

What is read beyond the end of a file that somebody cut off ends the process (SIGBUS), and of one
that somebody writes into, half is old and half is new. So its size is looked at before each large
tensor or some small ones, and the time of its last change, too, once all was read.
"""

from __future__ import annotations

import io
import mmap
import os
import weakref
from functools import cached_property
from pathlib import Path

from converters.background import Background, digest_of
from converters.errors import InputError

# Bytes of small tensors that are read between two looks: each is a call of the system, which lets
# other threads go first.
LOOK = 1 << 18
MEND = "convert it when nobody writes to it any more, or a copy of it"


class MappedFile(mmap.mmap):
    """A file mapped into memory; replaced or renamed meanwhile, it stays what was opened.

    Attributes:
        path: the name that it was opened by.
        descriptor: of the open file; its offset is the hashing's alone.
        length: bytes when it was opened.
        modified: when it was last changed until then, in nanoseconds.
        left: bytes that may be read before its size is looked at again.
    """

    path: Path
    descriptor: int
    length: int
    modified: int
    left: int = 0

    @classmethod
    def of(cls, path: Path) -> MappedFile:
        """Open and map a file.

        Raises:
            InputError: it does not exist, is no regular file, is empty, or may not be read.
        """
        try:
            if not (path.is_file() or path.is_dir()) and path.exists():
                what = "is a pipe or a device; save the checkpoint as a file first"
                raise InputError(f"{path}: {what}")
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                mapped = cls(file.fileno(), found.st_size, access=mmap.ACCESS_READ)
                mapped.descriptor = os.dup(file.fileno())
        except ValueError as error:
            raise InputError(f"{path}: the file is empty; download or save it again") from error
        except OSError as error:
            what = error.strerror or str(error)
            raise InputError(f"{path}: cannot be read ({what}){_mend(error)}") from error
        OPEN.add(mapped)
        weakref.finalize(mapped, os.close, mapped.descriptor)
        mapped.path, mapped.length, mapped.modified = path, found.st_size, found.st_mtime_ns
        return mapped

    def require_whole(self) -> None:
        """Refuse what was cut off, or grew, since it was opened.

        Raises:
            InputError: it has another size.
        """
        self.left = LOOK
        if self.size() != self.length:
            raise self.other_size()

    def other_size(self) -> InputError:
        """Return what is said of a file that was cut off or grew."""
        return InputError(
            f"{self.path}: changed while it was read: {self.length} bytes when it was opened, "
            f"{self.size()} now; {MEND}"
        )

    def require_unchanged(self) -> None:
        """Refuse what was written to since it was opened.

        Raises:
            InputError: it has another size, or was modified.
        """
        self.require_whole()
        if os.fstat(self.descriptor).st_mtime_ns != self.modified:
            raise InputError(
                f"{self.path}: changed while it was read: its {self.length} bytes were written to "
                f"since it was opened; {MEND}"
            )

    def reopened(self) -> io.FileIO:
        """Return the same file from its beginning, unbuffered; nobody else may read it so."""
        file = io.FileIO(os.dup(self.descriptor))
        file.seek(0)
        return file

    def digest(self) -> Background[str]:
        """Return its SHA-256, computed beside other work since the first call."""
        return self._digest

    @cached_property
    def _digest(self) -> Background[str]:
        return digest_of(self)

    def release(self) -> None:
        """Give the memory of the pages read so far back; they are read again when needed."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.madvise(mmap.MADV_DONTNEED)


OPEN: weakref.WeakSet[MappedFile] = weakref.WeakSet()


def before_reading(count: int, data: memoryview | bytes) -> None:
    """Look at a mapped file again before so many bytes of it are read.

    Args:
        count: how many.
        data: a part of the file; bytes that lie in memory are passed over.

    Raises:
        InputError: it was cut off, or grew, since it was opened.
    """
    file = file_behind(data)
    if file is not None:
        file.left -= count
        if file.left <= 0:
            file.require_whole()


def file_behind(data: memoryview | bytes) -> MappedFile | None:
    """Return the file that bytes are a part of, None if they lie in memory."""
    file = data.obj if isinstance(data, memoryview) else None
    return file if isinstance(file, MappedFile) else None


def _mend(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "; check the path"
    return "; give a file in it" if isinstance(error, IsADirectoryError) else ""
