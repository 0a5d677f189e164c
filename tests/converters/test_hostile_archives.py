"""Zip files that readers of different kinds would read differently, pipes, and odd keys."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from hostile import STATE, read_all, refusal

from converters import RefusedError, convert_file


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "a.pth"
    torch.save(STATE, path)
    return path


def rebuilt(path: Path, change: dict[str, str], *, twice: str = "") -> Path:
    """Write a zip again with members renamed, one of them a second time."""
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(change.get(name, name), content)
            if name.endswith(twice) and twice:
                archive.writestr(name, content[::-1])
    return path


def patched(path: Path, signature: bytes, offset: int, value: bytes, *, which: int = 0) -> Path:
    """Write bytes at an offset of the n-th header of a kind."""
    data, at = bytearray(path.read_bytes()), -1
    for _ in range(which + 1):
        at = data.index(signature, at + 1)
    data[at + offset : at + offset + len(value)] = value
    path.write_bytes(bytes(data))
    return path


def test_what_torch_saved_is_read(saved: Path) -> None:
    assert len(read_all(saved)) == len(STATE)


def test_members_outside_of_the_folder_are_never_written(saved: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.parent.iterdir())
    path = rebuilt(saved, {"a/version": "../../escaped"})
    assert len(read_all(path)) == len(STATE)  # the member is in no tensor, and is not unpacked
    assert sorted(tmp_path.parent.iterdir()) == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(saved: Path) -> None:
    assert "names a member twice" in refusal(rebuilt(saved, {}, twice="data/0"))


def test_overlapping_members_are_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        offset = next(i.header_offset for i in archive.infolist() if i.filename == "a/data/0")
        order = [i.filename for i in archive.infolist()]
    place = order.index("a/data/1")
    path = patched(saved, b"PK\x01\x02", 42, struct.pack("<I", offset), which=place)
    assert "overlap" in refusal(path)


def test_table_of_contents_against_headers(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        place = [i.filename for i in archive.infolist()].index("a/data/0")
    patched(saved, b"PK\x03\x04", 30, b"a/data/9", which=place)
    assert "has another name in its header" in refusal(saved)


def test_a_wrong_checksum_is_refused(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[data.index(struct.pack("<f", 23.0))] ^= 1
    saved.write_bytes(bytes(data))
    assert "checksum" in refusal(saved)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * (64 << 20))
    assert path.stat().st_size < 1 << 20
    assert "is compressed" in refusal(path)


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero"])
def test_what_is_no_file_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.pth"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(kind)
    assert "is a pipe or a device" in refusal(path)


def test_odd_keys_stay_text_on_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    odd = {"a\x1b[31m.weight": torch.ones(3, 2, 1, 1), "new\nline.weight": torch.ones(2, 2, 1, 1)}
    torch.save(odd, path)
    for command in ([path, "--dry-run"], ["inspect", path], ["diff", path, path]):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "converters.cli", *map(str, command)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "\x1b" not in done.stdout + done.stderr
        assert "\nline" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_key_of_any_length_is_shown_in_part(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"k" * 100_000: torch.ones(2)}, path)
    with pytest.raises(RefusedError) as caught:
        convert_file(path, tmp_path / "a.pdparams")
    assert max(map(len, str(caught.value).splitlines()[:-4])) < 600
    assert len(caught.value.problems[0]) > 100_000


@pytest.mark.parametrize(("offset", "value"), [(38, b"\x10"), (8, b"\x01")])
def test_a_member_that_is_said_to_be_no_plain_file_is_refused(
    saved: Path, offset: int, value: bytes
) -> None:
    """Torch reads nothing for a folder, and gives the tensor what lies in memory."""
    with zipfile.ZipFile(saved) as archive:
        which = [info.filename.endswith("data/0") for info in archive.infolist()].index(True)
    message = refusal(patched(saved, b"PK\x01\x02", offset, value, which=which))
    assert "data/0' is said to be" in message
