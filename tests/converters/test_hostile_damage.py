"""Damage at random places: right tensors or a refusal in one line, never a wrong tensor."""

import json
import math
import random
import struct
import zipfile
from pathlib import Path

import paddle
import pytest
import safetensors.numpy
import torch
from hostile import (
    STATE,
    read_all,
    refusal,
)
from samples import bits

from converters import InputError


@pytest.fixture(scope="module")
def intact(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("intact")
    torch.save({"state_dict": STATE, "epoch": 3}, folder / "zip")
    torch.save({"state_dict": STATE}, folder / "legacy", _use_new_zipfile_serialization=False)
    arrays = {key: value.numpy() for key, value in STATE.items()}
    paddle.save(
        {key: paddle.to_tensor(value) for key, value in arrays.items()}, f"{folder}/pdparams"
    )
    safetensors.numpy.save_file(arrays, folder / "safetensors")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


KINDS = ["zip", "legacy", "pdparams", "safetensors"]


def outcome(path: Path) -> dict[str, bytes] | None:
    """Return the tensors of a file, None if it was refused as it should be."""
    try:
        return read_all(path)
    except InputError as error:
        message = str(error)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_the_intact_files_are_read(tmp_path, intact, kind):
    (tmp_path / "a").write_bytes(intact[kind])
    assert outcome(tmp_path / "a") == {key: bits(value) for key, value in STATE.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_is_refused_or_harmless(tmp_path, intact, kind):
    path, content = tmp_path / "a", intact[kind]
    expected = {key: bits(value) for key, value in STATE.items()}
    sizes = range(1, len(content), 1 + len(content) // 300)
    for size in sizes:
        path.write_bytes(content[:size])
        assert outcome(path) in (None, expected), size


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bytes_end_in_tensors_or_a_refusal(tmp_path, intact, kind):
    path, content, refused = tmp_path / "a", intact[kind], 0
    chance = random.Random(f"flips of {kind}")  # noqa: S311
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 1, 2, 8])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        refused += outcome(path) is None
    assert refused > 20


def test_a_zip_gives_right_tensors_or_none(tmp_path, intact):
    """Its checksums cover what the other formats leave open: the elements and the table of keys."""
    path, content = tmp_path / "a", intact["zip"]
    expected = {key: bits(value) for key, value in STATE.items()}
    chance = random.Random(5)  # noqa: S311
    for _ in range(400):
        damaged = bytearray(content)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        assert outcome(path) in (None, expected)


def test_a_compressed_zip(tmp_path):
    torch.save(STATE, tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as old,
        zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert "is compressed" in refusal(tmp_path / "b.pth")


@pytest.mark.parametrize("zipped_", [True, False])
def test_a_big_endian_file(tmp_path, zipped_, monkeypatch):
    if zipped_:
        torch.save(STATE, tmp_path / "a.pth")
        with zipfile.ZipFile(tmp_path / "a.pth") as old:
            members = {name: old.read(name) for name in old.namelist()}
        with zipfile.ZipFile(tmp_path / "a.pth", "w") as new:
            for name, content in members.items():
                new.writestr(name, b"big" if name.endswith("byteorder") else content)
    else:
        monkeypatch.setattr("sys.byteorder", "big")
        torch.save(STATE, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
        monkeypatch.undo()
    assert "big-endian" in refusal(tmp_path / "a.pth")


@pytest.mark.parametrize("shape", [(0, 2**62), (2**31, 0, 2**31), (0, 2**64), (1,) * 33])
def test_a_shape_that_no_array_has_is_refused(tmp_path, shape):
    path = tmp_path / "a.safetensors"
    size = 4 * math.prod(shape)
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}
    header = json.dumps({"layer.weight": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * size)
    assert "layer.weight" in refusal(path)


def test_torch_files_with_empty_tensors_of_enormous_size_are_refused(tmp_path):
    torch.save({"weight": torch.empty(0, 2**62)}, tmp_path / "a.pth")
    assert "weight" in refusal(tmp_path / "a.pth")


def test_an_empty_tensor_is_read(tmp_path):
    torch.save({"weight": torch.empty(0, 2**32)}, tmp_path / "a.pth")
    assert read_all(tmp_path / "a.pth") == {"weight": b""}


@pytest.mark.parametrize("kind", ["key", "global"])
def test_a_name_of_any_length_leaves_a_line_that_can_be_read(tmp_path, kind):
    if kind == "key":
        path, name = tmp_path / "a.safetensors", "k" * 10_000
        header = json.dumps({name: {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    else:
        path = tmp_path / "a.pdparams"
        path.write_bytes(b"\x80\x02cos\n" + b"n" * 10_000 + b"\n.")
    assert len(refusal(path)) < 1000
