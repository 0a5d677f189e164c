"""Files written by hand, around pickles that no framework would write."""

import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from samples import bits

from converters import InputError, read_checkpoint
from converters.formats.torch_legacy import SIGNATURE

STORAGE = (
    b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04t"
)


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def zipped(path: Path, pickled: bytes) -> Path:
    """Write a torch zip file around a pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", b"\0" * 16)
    return path


def legacy(path: Path, pickled: bytes) -> Path:
    """Write a legacy torch file around a pickle."""
    head = SIGNATURE + b"." + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    path.write_bytes(head + pickled + pickle.dumps([], 2))
    return path


def pdparams(path: Path, pickled: bytes) -> Path:
    """Write a pickle as Paddle does."""
    path.write_bytes(pickled if pickled.startswith(b"\x80") else b"\x80\x04" + pickled)
    return path


FORMATS = {"zip": zipped, "legacy": legacy, "pdparams": pdparams}
every_format = pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)


def read_all(path: Path) -> dict[str, bytes]:
    """Return the bits of every tensor of a file."""
    return {key: bits(value.load()) for key, value in read_checkpoint(path).items()}


def refusal(path: Path) -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises(InputError) as caught:
        read_all(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1, message
    assert message.isprintable()
    return message


STATE = {
    "weight": torch.arange(24.0).reshape(2, 3, 4),
    "bias": torch.tensor([1, -2, 3]),
    "flag": torch.tensor([True, False]),
    "half": torch.arange(5).half(),
}
