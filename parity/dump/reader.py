"""Reading a dump: arrays are views of the mapped file, checked when they are first wanted."""

from __future__ import annotations

import io
import json
import mmap
import struct
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.arguments import Arguments, split
from parity.dump import manifest as manifests
from parity.dump.manifest import DumpError, Manifest
from parity.dump.members import from_json, input_member, records_member, weight_member

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from parity.backends import FloatType
    from parity.record import Consumer, Record

_LENGTHS = struct.Struct("<HH")
_LENGTHS_AT, _LOCAL_HEADER = 26, 30
_HEADER_MOST = 1 << 12


def is_dump(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a dump, by its content."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as table:
        return manifests.MEMBER in table.NameToInfo


class Dump:
    """A dump that is open for reading.

    Attributes:
        path: The file.
        manifest: What it says of itself.
    """

    def __init__(self, path: str | os.PathLike[str], *, trusted: bool = False) -> None:
        """Open a dump.

        Args:
            path: The file.
            trusted: This process wrote it just now; its checksums are not compared.

        Raises:
            DumpError: The file is no complete dump.
            OSError: It cannot be opened.
        """
        self.path = Path(path)
        self._checked: set[str] | None = None if trusted else set()
        try:
            with self.path.open("rb") as file:
                with zipfile.ZipFile(file) as table:
                    self._members = {info.filename: info for info in table.infolist()}
                if manifests.MEMBER not in self._members:
                    raise DumpError("no dump of stdc-parity")
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self.manifest = Manifest.from_json(self.json(manifests.MEMBER))
        except (zipfile.BadZipFile, DumpError, ValueError) as error:
            raise DumpError(f"{path}: {error}; make it again with stdc-parity dump") from error

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

    def inputs(self) -> Arguments:
        """Give the arguments that the network was given."""
        arrays = [self.array(input_member(i)) for i in range(len(self.manifest.inputs))]
        names = tuple(given.name for given in self.manifest.inputs if given.name)
        return Arguments.of(*split(tuple(arrays), names))

    def weights(self) -> dict[str, np.ndarray]:
        """Give the weights that it holds, by key; empty where another file holds them."""
        prefix, suffix = weight_member("\n").split("\n")
        return {
            name.removeprefix(prefix).removesuffix(suffix): self.array(name)
            for name in self._members
            if name.startswith(prefix)
        }

    def run(self, dtype: FloatType) -> DumpedRun:
        """Give the run in a precision that the manifest lists."""
        return DumpedRun(self, dtype)

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


@dataclass(frozen=True)
class DumpedRun:
    """A run in a dump; see `parity.source.Source`."""

    dump: Dump
    dtype: FloatType

    def paths(self) -> set[str]:
        """Give the paths of all modules."""
        return {module.path for module in self.dump.manifest.modules}

    @contextmanager
    def paused(self) -> Iterator[Iterator[Record]]:
        """Read step by step."""
        yield self.records()

    def stream(self, consumer: Consumer) -> None:
        """Read through."""
        for record in self.records():
            consumer(record)

    def never_called(self, called: set[str]) -> tuple[str, ...]:
        """List modules with weights that are not among those called."""
        modules = self.dump.manifest.modules
        return tuple(m.path for m in modules if m.weights and m.path not in called)

    def records(self) -> Iterator[Record]:
        """Read one call after another; what a record holds stays readable."""
        last: dict[str, np.ndarray] = {}
        for entry in self.dump.json(records_member(self.dtype)):
            arrays = _Arrays(self.dump, last)
            try:
                record = from_json(entry, arrays.load)
            except (TypeError, KeyError) as error:
                raise DumpError(f"{self.dump.path}: a record that cannot be read") from error
            yield record
            self.dump.forget(set(last) - set(arrays.used))
            last = arrays.used


@dataclass(frozen=True)
class _Arrays:
    """Gives the same object for the same member as the record before, which comparers recognise."""

    dump: Dump
    last: dict[str, np.ndarray]
    used: dict[str, np.ndarray] = field(default_factory=dict)

    def load(self, name: str) -> np.ndarray:
        """Give a member's array."""
        self.used[name] = self.last[name] if name in self.last else self.dump.array(name)
        return self.used[name]
