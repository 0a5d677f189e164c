"""Torch's zip files (torch.save since 1.6): ``NAME/data.pkl`` and one member a storage."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, cast

from converters.errors import InputError, brief
from converters.formats.content import Content, facts_in
from converters.formats.lookalikes import told_by_members
from converters.formats.numpy_objects import unwrap
from converters.formats.pickle_machine import PickleMachine
from converters.formats.pickle_values import StateDict
from converters.formats.torch_objects import TORCH_GLOBALS, Storage, storage_of
from converters.formats.torch_pickle import state_dict_pickle

NAME = "torch-zip"
REMARK = "stdc_convert.json"
ROOT = "archive"
WRITER = "torch.save"
LOCAL_HEADER = struct.Struct("<4s5H3L2H")
# Of a member's flags, and of its attributes: what is marked as a folder torch takes to be empty,
# and gives the tensor whatever lies in memory (2.13).
ENCRYPTED, FOLDER = 0x1, 0x10


def matches(data: memoryview) -> bool:
    """Return whether the bytes begin as a zip file does."""
    return bytes(data[:4]) == b"PK\x03\x04"


def read(path: Path, data: memoryview) -> Any:
    """Return the pickled object; its tensors are views of ``data``.

    Raises:
        InputError: the archive is broken, compressed or big-endian, or its pickle is refused.
    """
    members = members_of(path, opened=cast("BinaryIO", data.obj))
    root = root_folder(path, members)
    order = f"{root}/byteorder"
    if order in members and bytes(member_bytes(path, data, members, order)) != b"little":
        raise InputError(f"{path}: big-endian file; save it again on a little-endian machine")
    storages: dict[str, Storage] = {}

    def persistent(reference: Any) -> Storage:
        named = storage_of(reference, storages)
        storage = named.root or named
        if storage.data is None:
            member = f"{root}/data/{storage.key}"
            storage.attach(member_bytes(path, data, members, member))
            # torch can be told to save without checksums; they are 0 then.
            storage.checksum, storage.where = members[member].CRC, str(path)
        return named

    pickled = member_bytes(path, data, members, f"{root}/data.pkl")
    if members[f"{root}/data.pkl"].CRC not in (0, zlib.crc32(pickled)):
        raise InputError(f"{path}: its table of tensors is damaged (checksum): download it again")
    content = unwrap(PickleMachine(pickled, TORCH_GLOBALS, persistent, str(path)).load())
    if f"{root}/{REMARK}" in members and isinstance(content, dict):
        content = StateDict(content)
        content.metadata = facts_in(member_bytes(path, data, members, f"{root}/{REMARK}"))
    return content


def members_of(
    path: Path, writer: str = WRITER, opened: BinaryIO | None = None
) -> dict[str, zipfile.ZipInfo]:
    """Return the members of a zip file by name.

    Args:
        path: the file.
        writer: what writes files of this kind, for messages.
        opened: the file where it is open: its name may be another one's meanwhile.

    Raises:
        InputError: its table of contents is missing or broken, or names a member twice or bytes as
            part of two members: readers would then differ in what they read.
    """
    try:
        with zipfile.ZipFile(path if opened is None else opened) as archive:
            found = sorted(archive.infolist(), key=lambda info: info.header_offset)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise InputError(
            f"{path}: a zip file without its end ({error}); the download was cut off: get it again"
        ) from error
    members = {info.filename: info for info in found}
    if len(members) < len(found):
        raise InputError(f"{path}: names a member twice; {writer} never does: refused")
    for one, two in pairwise(found):
        if one.header_offset + LOCAL_HEADER.size + one.compress_size > two.header_offset:
            names = f"{brief(one.filename)} and {brief(two.filename)}"
            raise InputError(f"{path}: its members {names} overlap; {writer} never does: refused")
    return members


def root_folder(path: Path, members: dict[str, zipfile.ZipInfo]) -> str:
    """Return the folder that all members lie in.

    Raises:
        InputError: there is no ``data.pkl`` one folder down, or more: not written by torch.save.
    """
    if told := told_by_members(path, members):
        raise InputError(f"{path}: {told}")
    roots = [name.removesuffix("/data.pkl") for name in members if name.endswith("/data.pkl")]
    roots = [root for root in roots if "/" not in root]
    if len(roots) != 1:
        raise InputError(f"{path}: a zip file without one data.pkl: no torch checkpoint")
    return roots[0]


def member_bytes(
    path: Path,
    data: memoryview,
    members: dict[str, zipfile.ZipInfo],
    name: str,
    writer: str = WRITER,
) -> memoryview:
    """Return the bytes of a stored (uncompressed) member as a view of the file.

    Args:
        path: the file.
        data: its bytes.
        members: see :func:`members_of`.
        name: the member's.
        writer: what writes files of this kind, for messages.

    Raises:
        InputError: the member is missing, compressed, no plain file, or lies outside the file.
    """
    info = members.get(name)
    if info is None:
        raise InputError(f"{path}: member {brief(name)} is missing; the file is damaged")
    if info.compress_type != zipfile.ZIP_STORED:
        raise InputError(f"{path}: member {brief(name)} is compressed; {writer} stores plainly")
    if info.flag_bits & ENCRYPTED or info.external_attr & FOLDER:
        what = "encrypted" if info.flag_bits & ENCRYPTED else "a folder"
        raise InputError(f"{path}: member {brief(name)} is said to be {what}; refused")
    header = bytes(data[info.header_offset : info.header_offset + LOCAL_HEADER.size])
    if len(header) < LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        raise InputError(f"{path}: member {brief(name)} has no local header; the file is damaged")
    *_, name_size, extra_size = LOCAL_HEADER.unpack(header)
    begin = info.header_offset + LOCAL_HEADER.size
    if bytes(data[begin : begin + name_size]) != name.encode():
        raise InputError(f"{path}: member {brief(name)} has another name in its header; refused")
    start = begin + name_size + extra_size
    if start + info.file_size > len(data):
        raise InputError(f"{path}: member {brief(name)} lies outside the file; the file is cut off")
    return data[start : start + info.file_size]


def write(file: BinaryIO, content: Content) -> None:
    """Write a state dict as torch.save does, one tensor at a time.

    Args:
        file: where to.
        content: the tensors; second keys share the storage of the first.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for number, (_, elements) in enumerate(content.pieces()):
            with archive.open(_member(f"{ROOT}/data/{number}"), "w", force_zip64=True) as member:
                member.writelines(elements)
        pickled = state_dict_pickle(content)
        texts = {"data.pkl": pickled, "byteorder": b"little", "version": b"3\n"}
        if content.metadata:
            texts[REMARK] = json.dumps(dict(content.metadata)).encode()
        for name, text in texts.items():
            archive.writestr(_member(f"{ROOT}/{name}"), text)


def _member(name: str) -> zipfile.ZipInfo:
    # A fixed date: equal weights give equal files.
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
