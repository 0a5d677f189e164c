"""What is written is what was recorded, and a broken file is refused."""

from __future__ import annotations

import dataclasses
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import parity_toys as toys
import pytest
import torch

from converters import ConverterError
from parity import NetworkError
from parity.carry import Weights
from parity.dump import Dump, DumpError, write_dump
from parity.dump.archive import Archive
from parity.input_files import InputError, Picture, from_file
from parity.running import record


@pytest.fixture(scope="module")
def torch_dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dump") / "torch.npz"
    write_dump(toys.torch_model(), toys.images(), path)
    return path


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_dump_gives_back_every_record(torch_dump: Path, dtype: Any) -> None:
    live = record(toys.torch_model().to(getattr(torch, dtype)), (toys.images(),), dtype)
    with Dump(torch_dump).run(dtype).paused() as records:
        stored = [entry.kept() for entry in records]
    assert len(stored) == len(live.records) == 10
    for one, other in zip(stored, live.records, strict=True):
        for field in dataclasses.fields(other):
            if field.compare and field.name not in ("inputs", "outputs"):
                assert getattr(one, field.name) == getattr(other, field.name)
        for kept, was in zip(one.inputs + one.outputs, other.inputs + other.outputs, strict=True):
            assert kept.slot == was.slot
            assert kept.array.dtype == was.array.dtype
            np.testing.assert_array_equal(kept.array, was.array)


def test_numpy_opens_it_and_its_arrays_are_aligned(torch_dump: Path) -> None:
    with np.load(torch_dump) as content:
        np.testing.assert_array_equal(content["inputs/0"], toys.images())
    with Dump(torch_dump).run("float64").paused() as records:
        places = [v.array.__array_interface__["data"][0] for r in records for v in r.outputs]
    assert all(place % 64 == 0 for place in places)


def test_what_a_container_only_hands_on_is_written_once(torch_dump: Path) -> None:
    names = zipfile.ZipFile(torch_dump).namelist()
    arrays = [name for name in names if name.startswith("float32/") and name.endswith(".npy")]
    # Eight calls of leaves return something; the block and the network hand on their last child's.
    # Inputs that no module returned: the image, and the mean of the concatenation.
    assert len(arrays) == 8 + 2


def test_never_called_modules_are_listed(tmp_path: Path) -> None:
    class Unused(toys.Model):
        def __init__(self) -> None:
            super().__init__()
            self.spare = torch.nn.Linear(2, 2)

    path = tmp_path / "unused.npz"
    write_dump(Unused(), toys.images(), path)
    dumped = Dump(path).run("float32")
    assert dumped.never_called({record.path for record in dumped.records()}) == ("spare",)


class Odd(torch.nn.Module):
    """Values that a format easily loses."""

    def forward(self, x: Any) -> Any:
        return {
            "scalar": x.sum(),
            "none": x[:0],
            "index": x.argmax(1),
            "mask": x > 0,
            "strided": x.transpose(2, 3),
            "complex": torch.complex(x, x),
            "bfloat16": x.bfloat16(),
            "nan": x / 0,
        }


def test_odd_values_survive(tmp_path: Path) -> None:
    path = tmp_path / "odd.npz"
    write_dump(Odd(), toys.images(), path, precision="float32")
    (stored,) = Dump(path).run("float32").records()
    (live,) = record(Odd(), (toys.images(),)).records
    assert [value.slot for value in stored.outputs] == [value.slot for value in live.outputs]
    for one, other in zip(stored.outputs, live.outputs, strict=True):
        assert (one.array.shape, one.array.dtype) == (other.array.shape, other.array.dtype)
        np.testing.assert_array_equal(one.array, other.array)


def test_an_in_place_activation_does_not_reach_what_was_written(tmp_path: Path) -> None:
    model = toys.Model(inplace=True)
    path = tmp_path / "inplace.npz"
    write_dump(model, toys.images(), path, precision="float32")
    by_path = {entry.path: entry.outputs[0].array for entry in Dump(path).run("float32").records()}
    assert by_path["block.bn"].min() < 0
    assert by_path["block.relu"].min() == 0


def test_weights_are_stored_where_no_file_holds_them(torch_dump: Path, tmp_path: Path) -> None:
    state = toys.torch_model().state_dict()
    stored = Dump(torch_dump).weights()
    assert stored.keys() == state.keys()
    assert all(np.array_equal(stored[key], value.numpy()) for key, value in state.items())
    file = tmp_path / "model.pth"
    torch.save(state, file)
    manifest = write_dump(toys.Model(), toys.images(), tmp_path / "b", weights=Weights.read(file))
    assert not Dump(tmp_path / "b").weights()
    assert manifest.weights_sha256 == Dump(torch_dump).manifest.weights_sha256


def test_the_network_is_only_read(tmp_path: Path) -> None:
    model = toys.torch_model()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    write_dump(model, toys.images(), tmp_path / "a", weights=Weights.of(toys.torch_model(2)))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_run_that_fails_leaves_no_file_and_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")
    with pytest.raises(NetworkError, match=r"block\.conv"):
        write_dump(toys.torch_model(), toys.images()[:, :2], path, force=True)
    with pytest.raises(ConverterError, match="exists already"):
        write_dump(toys.torch_model(), toys.images(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]
    assert path.read_bytes() == b"old"


def test_no_file_and_other_files_are_refused(tmp_path: Path, torch_dump: Path) -> None:
    other = tmp_path / "other.npz"
    np.savez(other, x=np.ones(3))
    cut = tmp_path / "cut.npz"
    cut.write_bytes(torch_dump.read_bytes()[:-100])
    empty = tmp_path / "empty.npz"
    empty.touch()
    for path in (other, cut, empty):
        with pytest.raises(DumpError, match=rf"{path.name}.*make it again"):
            Dump(path)
    with pytest.raises(FileNotFoundError):
        Dump(tmp_path / "absent.npz")


def test_a_flipped_bit_is_noticed(tmp_path: Path, torch_dump: Path) -> None:
    content = bytearray(torch_dump.read_bytes())
    with zipfile.ZipFile(torch_dump) as table:
        content[table.getinfo("float32/3.npy").header_offset + 400] ^= 1
    path = tmp_path / "flipped.npz"
    path.write_bytes(content)
    with pytest.raises(DumpError, match=r"float32/3\.npy is missing or damaged"):
        list(Dump(path).run("float32").records())


def test_a_dump_of_a_later_version_says_so(tmp_path: Path) -> None:
    path = tmp_path / "later.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("manifest.json", '{"format": "stdc-parity dump", "version": 99}')
    with pytest.raises(DumpError, match="format 99"):
        Dump(path)


def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npz")
    for path in (tmp_path / "a.npz", Path("/dev/zero"), tmp_path):
        with pytest.raises(DumpError, match="is no regular file"):
            Archive(path)
        with pytest.raises(InputError, match="is no regular file"):
            next(from_file(path, Picture((8, 8), (0, 0, 0), (1, 1, 1))))
