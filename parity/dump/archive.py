"""The members of a dump: arrays are views of the mapped file, checked when first wanted."""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.dump.manifest import DumpError

if TYPE_CHECKING:
    import os

_LENGTHS = struct.Struct("<HH")
_LENGTHS_AT, _LOCAL_HEADER = 26, 30
_HEADER_MOST = 1 << 12


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
            raise DumpError(f"{path}: is no regular file; name one that stdc-parity dump wrote")
        try:
            with self.path.open("rb") as file:
                with zipfile.ZipFile(file) as table:
                    self._members = {info.filename: info for info in table.infolist()}
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (zipfile.BadZipFile, ValueError) as error:
            raise DumpError(f"{path}: {error}; make it again with stdc-parity dump") from error

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
            DumpError: It is missing or damaged.
        """
        return json.loads(bytes(self._bytes(name)))

    def array(self, name: str) -> np.ndarray:
        """Give an array as a read-only view of the file.

        Raises:
            DumpError: It is missing or damaged.
        """
        data = self._bytes(name)
        header = io.BytesIO(bytes(data[:_HEADER_MOST]))
        try:
            np.lib.format.read_magic(header)
            shape, _, dtype = np.lib.format.read_array_header_1_0(header)
            return np.frombuffer(data[header.tell() :], dtype).reshape(shape)
        except (ValueError, TypeError) as error:
            raise self._damaged(name) from error

    def forget(self, names: set[str]) -> None:
        """Give the memory of members back to the system; who needs them again reads them again."""
        if not hasattr(mmap, "MADV_DONTNEED"):
            return
        for name in names:
            start, end = self._bounds(name)
            start -= start % mmap.PAGESIZE
            self._data.madvise(mmap.MADV_DONTNEED, start, end - start)

    def _bounds(self, name: str) -> tuple[int, int]:
        info = self._members.get(name)
        if info is None or info.compress_type != zipfile.ZIP_STORED:
            raise self._damaged(name)
        lengths = self._data[info.header_offset + _LENGTHS_AT : info.header_offset + _LOCAL_HEADER]
        start = info.header_offset + _LOCAL_HEADER + sum(_LENGTHS.unpack(lengths))
        return start, start + info.file_size

    def _bytes(self, name: str) -> memoryview:
        start, end = self._bounds(name)
        data = memoryview(self._data)[start:end]
        if self._checked is not None and name not in self._checked:
            if zlib.crc32(data) != self._members[name].CRC:
                raise self._damaged(name)
            self._checked.add(name)
        return data

    def _damaged(self, name: str) -> DumpError:
        return DumpError(f"{self.path}: member {name} is missing or damaged; make it again")
