"""The members of a dump: arrays are views of the mapped file, checked when first wanted."""

from __future__ import annotations

import hashlib
import io
import mmap
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import InputError, shortened
from converters.formats.content import ROOM, json_value
from converters.formats.torch_zip import member_bytes, members_of
from parity.dump.manifest import DumpError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

_HEADER_MOST = 1 << 12
#: What numpy raises at headers that no array has.
ODD_HEADER = (ValueError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError)
_LONGEST_NAME = 100
_NUMBERS = "biufc"
WRITER = "stdc-parity dump"


class Archive:
    """A zip of uncompressed members, open for reading.

    Attributes:
        path: The file.
    """

    def __init__(self, path: str | os.PathLike[str], *, trusted: bool = False) -> None:
        """Open it.

        Args:
            path: The file.
            trusted: This process wrote it just now; its checksums are not compared.

        Raises:
            DumpError: The file is no complete archive, or is a pipe or device.
            OSError: It cannot be opened.
        """
        self.path = Path(path)
        self._checked: set[str] | None = None if trusted else set()
        if self.path.exists() and not self.path.is_file():
            raise DumpError(f"{path}: is no regular file; name one that {WRITER} wrote")
        with self.path.open("rb") as file:
            try:
                self._members = members_of(self.path, WRITER)
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (InputError, ValueError) as error:
                raise DumpError(f"{error}; make it again with {WRITER}") from error

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a member of this name."""
        return name in self._members

    @property
    def names(self) -> list[str]:
        """All members' names in order."""
        return list(self._members)

    @property
    def fingerprint(self) -> str:
        """A digest of all that it holds."""
        sums = [(name, info.CRC, info.file_size) for name, info in self._members.items()]
        return hashlib.sha256(repr(sums).encode()).hexdigest()

    def json(self, name: str) -> Any:
        """Read a member of plain values.

        Raises:
            DumpError: It is missing or damaged, or no JSON.
        """
        text = bytes(self._bytes(name))
        try:
            # What a dump of many calls needs is little beside its arrays.
            return json_value(text, ROOM + 2 * len(self._data))
        except ValueError as error:
            raise self.odd(name, str(error)) from error

    def array(self, name: str) -> np.ndarray:
        """Give an array as a read-only view of the file.

        Raises:
            DumpError: It is missing or damaged, or holds no numbers.
        """
        data = self._bytes(name)
        header = io.BytesIO(bytes(data[:_HEADER_MOST]))
        try:
            if np.lib.format.read_magic(header) != (1, 0):
                raise ValueError("another version of .npy")
            shape, turned, dtype = np.lib.format.read_array_header_1_0(header)
            if dtype.kind not in _NUMBERS or any(size < 0 for size in shape):
                raise ValueError(f"elements of {dtype}, sizes {shape}")
            values = np.frombuffer(data[header.tell() :], dtype)
            return values.reshape(shape, order="F" if turned else "C")
        except ODD_HEADER as error:
            raise self.odd(name, f"no array of numbers ({error})") from error

    def forget(self, names: Iterable[str]) -> None:
        """Give the memory of members back to the system; who needs them again reads them again."""
        if not hasattr(mmap, "MADV_DONTNEED"):
            return
        for name in names:
            start = self._members[name].header_offset
            start -= start % mmap.PAGESIZE
            self._data.madvise(mmap.MADV_DONTNEED, start, self._members[name].file_size)

    def odd(self, name: str, what: str) -> DumpError:
        """Give the error of a member that is not as it was written."""
        return DumpError(
            f"{self.path}: member {shortened(name, _LONGEST_NAME)} is missing or damaged: "
            f"{shortened(what)}; make it again with {WRITER}"
        )

    def _bytes(self, name: str) -> memoryview:
        try:
            data = member_bytes(self.path, memoryview(self._data), self._members, name, WRITER)
        except InputError as error:
            raise DumpError(f"{error}; make it again with {WRITER}") from error
        if self._checked is not None and name not in self._checked:
            if zlib.crc32(data) != self._members[name].CRC:
                raise self.odd(name, "its checksum is another")
            self._checked.add(name)
        return data
