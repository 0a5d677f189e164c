"""What `--input` names comes from somebody else."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters import ConverterError
from parity.input_files import MOST_UNPACKED, InputError, Picture, from_file

PICTURE = Picture((4, 4), (0, 0, 0), (1, 1, 1))


def npy(values: np.ndarray, **options: bool) -> bytes:
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


def headed(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


HUGE = headed(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**40},)}}\n")
HOSTILE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "objects": ("a.npy", lambda: npy(np.array([{}]), allow_pickle=True), "allow_pickle"),
    "texts": ("a.npy", lambda: npy(np.array(["x"])), "no array of numbers"),
    "deep header": ("a.npy", lambda: headed("(" * 3000), "cannot be read"),
    "lying header": ("a.npy", lambda: HUGE, "cannot be read"),
    "cut off": ("a.npy", lambda: npy(np.ones(9))[:-4], "cannot be read"),
    "lying member": ("a.npz", lambda: archive({"x.npy": HUGE}), "cannot be read"),
    "no array": ("a.npz", lambda: archive({"x": b"1"}), "no array of numbers"),
    "checksum": (
        *("a.npz", lambda: archive({"x.npy": npy(np.ones(9))}).replace(b"\xf0\x3f", b"\xf1\x3f")),
        "CRC",
    ),
    "bomb": (
        *("a.npz", lambda: archive({"x.npy": bytes(MOST_UNPACKED + 2**20)}, zipfile.ZIP_DEFLATED)),
        "unpacks to .* bytes; save it unpacked",
    ),
    "packed text": ("a.npz", lambda: archive({"x.npy": b"x" * 99}, zipfile.ZIP_LZMA), "no array"),
    "no picture": ("a.png", lambda: b"no picture", "neither an image nor"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_inputs_are_refused(tmp_path: Path, name: str) -> None:
    file, make, said = HOSTILE[name]
    path = tmp_path / file
    path.write_bytes(make())
    with pytest.raises(InputError, match=said) as refusal:
        list(from_file(path, PICTURE))
    assert isinstance(refusal.value, ConverterError)
    assert str(path) in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_a_picture_of_16_bits_is_not_cut_off(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 1000, np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="8 bits a channel"):
        list(from_file(tmp_path / "a.png", PICTURE))
