"""Writing a dump as the run goes: no more than one tensor is held."""

from __future__ import annotations

import io
import json
import struct
import weakref
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from parity.dump.members import as_json, records_member

if TYPE_CHECKING:
    from types import TracebackType

    from parity.record import Record

ALIGNMENT = 64
# A zip's free field: a number that says what it is for (Android's alignment), and its length.
_PADDING = struct.Struct("<HH")
_PADDING_ID = 0xD935
_LOCAL_HEADER, _SIZES_FIELD = 30, 20


class DumpWriter:
    """Writes the members of a dump, one after another; a context manager.

    The arrays are stored as they are and begin at multiples of 64 bytes, so that a reader can map
    them into memory.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Begin with an empty file that is open for writing."""
        self._file = file
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def __enter__(self) -> DumpWriter:
        """Write inside the context."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the table of members."""
        self._zip.close()

    def array(self, name: str, values: np.ndarray) -> None:
        """Write an array."""
        header = io.BytesIO()
        # A view of one dimension: what has none, or is laid out otherwise, has no plain bytes.
        flat = np.ascontiguousarray(values).reshape(-1)
        described = np.lib.format.header_data_from_array_1_0(flat) | {"shape": values.shape}
        np.lib.format.write_array_header_1_0(header, described)
        info = self._info(name)
        info.file_size = header.tell() + flat.nbytes
        with self._zip.open(info, "w", force_zip64=True) as member:
            member.write(header.getvalue())
            member.write(flat.view(np.uint8).data)

    def json(self, name: str, content: Any) -> None:
        """Write plain values."""
        self._zip.writestr(name, json.dumps(content, ensure_ascii=False))

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name)
        before = self._file.tell() + _LOCAL_HEADER + len(name.encode()) + _SIZES_FIELD
        padding = -(before + _PADDING.size) % ALIGNMENT
        info.extra = _PADDING.pack(_PADDING_ID, padding) + bytes(padding)
        return info


class RunWriter:
    """Writes the records of one run; a `Consumer`."""

    def __init__(self, writer: DumpWriter, dtype: str) -> None:
        """Begin a run in a precision."""
        self._writer = writer
        self._dtype = dtype
        self._records: list[dict[str, Any]] = []
        self._names: dict[int, tuple[weakref.ref[np.ndarray], str]] = {}
        self._count = 0

    def __call__(self, record: Record) -> None:
        """Write a record's arrays."""
        self._records.append(as_json(record, self._store))

    def close(self) -> None:
        """Write the list of records."""
        self._writer.json(records_member(self._dtype), self._records)

    def _store(self, array: np.ndarray) -> str:
        # A container returns the array that its last child did: written once.
        known = self._names.get(id(array))
        if known is not None and known[0]() is array:
            return known[1]
        name = f"{self._dtype}/{self._count}.npy"
        self._count += 1
        self._writer.array(name, array)
        self._names[id(array)] = weakref.ref(array), name
        return name
