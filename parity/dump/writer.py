"""Writing a dump as the run goes: no more than one tensor is held."""

from __future__ import annotations

import io
import json
import struct
import weakref
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from parity.dump.members import as_json, events_member, gradients_member, parameters_member

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from parity.backward import Gradient
    from parity.dump.parameters import Parameter
    from parity.precision import Floor
    from parity.record import CallKey, Given, Record, Value

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
        # Of no date: equal runs give equal files.
        self._zip.writestr(zipfile.ZipInfo(name), json.dumps(content, ensure_ascii=False))

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name)
        before = self._file.tell() + _LOCAL_HEADER + len(name.encode()) + _SIZES_FIELD
        padding = -(before + _PADDING.size) % ALIGNMENT
        info.extra = _PADDING.pack(_PADDING_ID, padding) + bytes(padding)
        return info


class RunWriter:
    """Writes what happens in one run, as it happens."""

    def __init__(self, writer: DumpWriter, dtype: str) -> None:
        """Begin a run in a precision."""
        self._writer = writer
        self._dtype = dtype
        self._events: list[Any] = []
        self._gradients: list[Any] = []
        self._names: dict[int, tuple[weakref.ref[np.ndarray], str]] = {}
        self._returned: set[str] = set()
        self._fresh: dict[CallKey, tuple[Value, ...]] = {}
        self._count = 0

    def start(self, given: Given) -> None:
        """Write what a call is given."""
        self._events.append(as_json(given, self._store))
        # What no module returned belongs to the call's record, too.
        self._fresh[given.key] = tuple(
            value for value in given.inputs if self._store(value.array) not in self._returned
        )

    def call(self, record: Record) -> None:
        """Write what a call returned."""
        inputs = self._fresh.pop(record.key, record.inputs)
        self._events.append(as_json(replace(record, inputs=inputs), self._store))
        self._returned.update(self._store(value.array) for value in record.outputs)

    def gradient(self, gradient: Gradient) -> None:
        """Write a gradient."""
        self._gradients.append(as_json(gradient, self._store))

    def parameters(self, parameters: Iterable[Parameter]) -> None:
        """Write what the backward pass left in the parameters."""
        content = [as_json(parameter, self._store) for parameter in parameters]
        self._writer.json(parameters_member(self._dtype), content)

    def close(self, late: Mapping[CallKey, Iterable[Floor]] | None = None) -> None:
        """Write the lists of events.

        Args:
            late: Single-precision kernels by the call whose backward pass they ran in; None if
                there was no backward pass.
        """
        self._writer.json(events_member(self._dtype), self._events)
        if late is not None:
            floors = [as_json((key, tuple(found)), self._store) for key, found in late.items()]
            content = {"gradients": self._gradients, "floors": floors}
            self._writer.json(gradients_member(self._dtype), content)

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
