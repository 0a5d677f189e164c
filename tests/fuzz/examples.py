"""A file for each reason for which one of two readers refuses and the other reads."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

Members = dict[str, bytes]
END, ENTRY, LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"


def saved(value: Any, **options: Any) -> bytes:
    """Return what ``torch.save`` writes."""
    import torch

    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def whole(**options: Any) -> bytes:
    """Return a checkpoint of two tensors that share nothing."""
    import torch

    return saved({"a": torch.arange(4.0), "b": torch.arange(4.0)}, **options)


def members() -> Members:
    """Return the members of a whole checkpoint."""
    with zipfile.ZipFile(io.BytesIO(whole())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(found: Members | list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip of members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in found.items() if isinstance(found, dict) else found:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def named(found: Members, end: str) -> str:
    """Return the name of a member by how it ends."""
    return next(name for name in found if name.endswith(end))


def changed(end: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return a checkpoint with a member changed, its checksums right."""
    found = members()
    name = named(found, end)
    return zipped(found | {name: change(found[name])})


def without(end: str) -> bytes:
    """Return a checkpoint without a member."""
    found = members()
    del found[named(found, end)]
    return zipped(found)


def row(data: bytes, name: str, at: int, value: bytes, signature: bytes = ENTRY) -> bytes:
    """Write bytes into a member's row in the table of contents, or into its header."""
    size = {ENTRY: 46, LOCAL: 30}[signature]
    place = data.index(name.encode()) - 30
    if signature == ENTRY:
        place = data.rindex(name.encode()) - size
    return data[: place + at] + value + data[place + at + len(value) :]


def pickled(change: Callable[[bytes], bytes]) -> bytes:
    """Return a checkpoint with its pickle changed."""
    return changed("data.pkl", change)


def legacy() -> bytes:
    """Return a checkpoint as torch wrote it before 1.6."""
    return whole(_use_new_zipfile_serialization=False)


def wrong_byte() -> bytes:
    """Return a checkpoint of which a byte of a tensor is another."""
    return zipped(members()).replace(struct.pack("<4f", 0, 1, 2, 3), bytes(16), 1)


def overlapping() -> bytes:
    """Return a checkpoint in which the table of contents puts two tensors at one place."""
    found = members()
    names = [named(found, "data/0"), named(found, "data/1")]
    data = zipped(found)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        place = archive.getinfo(names[1]).header_offset
    return row(data, names[0], 42, struct.pack("<I", place))


def lacking() -> bytes:
    """Return an old checkpoint whose list of storages is empty, and ends the file."""
    data = legacy()
    return data[: data.rindex(b"\x80\x02]")] + b"\x80\x02]."


def overflowing() -> bytes:
    """Return an old checkpoint whose count of elements, in bytes, goes beyond 64 bits."""
    data = legacy()
    count = struct.pack("<q", 4)
    at = data.rindex(count, 0, len(data) - 16)
    return data[:at] + struct.pack("<q", 4 + 2**62) + data[at + 8 :]


def of(make: Callable[[Any], Any]) -> bytes:
    """Return a checkpoint of what is made with torch."""
    import torch

    return saved({"a": make(torch)})


def noted(torch: Any) -> Any:
    """Return a tensor that has an attribute."""
    tensor = torch.ones(2)
    tensor.note = "x"
    return tensor


def with_member(name: str) -> bytes:
    """Return a checkpoint with one more member, in its folder."""
    return zipped(members() | {f"archive/{name}": b"x"})


def marked(end: str, at: int, value: bytes, signature: bytes = ENTRY) -> bytes:
    """Return a checkpoint whose table of contents, or header, says something else of a member."""
    found = members()
    return row(zipped(found), named(found, end), at, value, signature)


def again() -> bytes:
    """Return a checkpoint that holds a member twice."""
    found = members()
    name = named(found, "data/0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zipped([*found.items(), (name, found[name])])


EXAMPLES: dict[str, Callable[[], bytes]] = {
    "a checksum that is wrong": wrong_byte,
    "a member twice": again,
    "members that overlap": overlapping,
    "a header with another name, or none": lambda: marked("data/0", 30, b"ARCHIVE", LOCAL),
    "a member that is no plain file": lambda: marked("data/0", 38, b"\x10"),
    "a table of contents of a newer zip": lambda: marked("data/0", 6, b"\xc8"),
    "a compressed member": lambda: zipped(members(), zipfile.ZIP_DEFLATED),
    "no dict of tensors": lambda: saved([1, 2]),
    "a signature spelt in another way": lambda: legacy()[2:],
    "keys that may collide": lambda: of(lambda _: {(n,): 1 for n in range(1001)}),
    "opcodes or objects without end": lambda: of(lambda _: [[] for _ in range(2**15)]),
    "few elements repeated": lambda: of(lambda torch: torch.ones(1).expand(2**29)),
    "a lazy view": lambda: of(lambda torch: torch.ones(2, dtype=torch.complex64).conj()),
    "more dimensions than numpy has": lambda: of(lambda torch: torch.ones((1,) * 70)),
    "the highest byte first": lambda: changed("byteorder", lambda _: b"big"),
    "a list of storages that lacks some": lacking,
    "a count beyond 64 bits of bytes": overflowing,
    "members of other kinds of files": lambda: with_member("x.npy"),
    "quantised tensors": lambda: of(
        lambda torch: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    ),
    "a name that torch alone knows": lambda: of(lambda torch: torch.eye(3).to_sparse()),
    "an archive in several volumes": lambda: marked("/version", 34, b"\7"),
    "a table of contents that miniz finds odd": lambda: marked("/version", 24, b"\7"),
    "no readable version member": lambda: without("/version"),
    "members outside of the folder": lambda: zipped(members() | {"outside": b"x"}),
    "an encrypted member beside": lambda: marked("/version", 8, b"\1"),
    "a flag that miniz does not know": lambda: marked("data.pkl", 8, b"\x20"),
    "a table of contents that counts no members": lambda: end(bytes(4)),
    "a name or text that is not UTF-8": lambda: with_member("xx").replace(b"/xx", b"/\xff\xfe"),
    "an opcode or name off torch's list": lambda: saved({"a": ones()}, pickle_protocol=4),
    "a rest on the pickle's stack": lambda: pickled(lambda data: data[:-1] + b"(."),
    "a flag that no weight depends on": lambda: pickled(lambda data: data.replace(b"\x89", b"N")),
    "more arguments than torch takes": lambda: pickled(
        lambda data: re.sub(rb"t(q.)R", rb"NNNt\1R", data)
    ),
    "a magic number in other opcodes": lambda: legacy()[:14] + b"N" + legacy()[14:],
}  # fmt: skip
# Others that are refused for the same reason.
MORE: dict[str, tuple[Callable[[], bytes], ...]] = {
    "no dict of tensors": (lambda: saved(ones()), lambda: saved({(): ones()})),
    "a signature spelt in another way": (lambda: b"N" + legacy(),),
    "a lazy view": (
        lambda: of(lambda torch: torch.complex(torch.ones(2), torch.ones(2)).conj().imag),
    ),
    "a name that torch alone knows": (
        lambda: of(lambda torch: torch.ones(2, device="meta")),
        lambda: of(lambda torch: torch.zeros(2, dtype=torch.complex32)),
        lambda: of(lambda torch: torch.zeros(2, dtype=torch.bits8)),
        lambda: of(noted),
    ),
    "members of other kinds of files": (lambda: with_member("archive_format"),),
    "a checksum that is wrong": (
        lambda: zipped(members()).replace(b"X\x01\0\0\0b", b"X\x01\0\0\0c", 1),
    ),
    "an archive in several volumes": (lambda: end(b"\1\0"),),
    "a rest on the pickle's stack": (
        lambda: pickled(lambda data: data.replace(b"(", b"((", 1)),
    ),
    "a name or text that is not UTF-8": (
        lambda: pickled(lambda data: data[:2] + b"U\x02\xff\xffq\x77" + data[2:]),
    ),
    "an opcode or name off torch's list": (lambda: of(lambda _: array()),),
}  # fmt: skip


def ones() -> Any:
    """Return a tensor."""
    import torch

    return torch.ones(1)


def array() -> Any:
    """Return an array of numpy, which we take as a tensor."""
    import numpy as np

    return np.ones(2, np.float32)


def end(counts: bytes) -> bytes:
    """Return a checkpoint whose last record counts its members in another way."""
    data = zipped(members())
    at = data.rindex(END) + 8
    return data[:at] + counts + data[at + len(counts) :]
