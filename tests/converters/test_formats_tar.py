"""Torch's oldest files: tars from before 0.1.10, and storages that are parts of others."""

import pickle
import struct

import numpy as np
import pytest
import torch
from old_tars import Numbered, tar_of
from samples import bits

from converters import InputError, read_checkpoint
from converters.formats import torch_legacy

TENSORS = {
    "plain": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 7,
    "turned": torch.arange(8, dtype=torch.float64).reshape(2, 4).t(),
    "scalar": torch.tensor(-5),
    "offset": torch.arange(10, dtype=torch.int32)[3:7],
    "empty": torch.zeros(0, dtype=torch.float16),
}


def test_a_tar_is_read_as_torch_reads_it(tmp_path):
    path = tmp_path / "old.tar"
    path.write_bytes(tar_of(TENSORS))
    expected = torch.load(path, weights_only=False)
    found = read_checkpoint(path)
    assert found.format == "torch-tar"
    assert list(found) == list(expected) == list(TENSORS)
    for key, value in TENSORS.items():
        assert bits(expected[key]) == bits(value)
        assert found[key].shape == tuple(value.shape)
        assert found[key].dtype == str(value.dtype).removeprefix("torch.")
        assert bits(found[key].load()) == bits(value)


@pytest.mark.parametrize("cut", [600, 1500, 2300])
def test_a_damaged_tar_is_refused(tmp_path, cut):
    path = tmp_path / "old.tar"
    path.write_bytes(tar_of(TENSORS)[:cut])
    with pytest.raises(InputError, match=r"old\.tar"):
        read_checkpoint(path)


def test_a_part_outside_its_storage_is_refused(tmp_path):
    path = tmp_path / "old.tar"
    path.write_bytes(tar_of(TENSORS, parts=[(77, 0, 4, 3)]))
    with pytest.raises(InputError, match="reaches outside"):
        read_checkpoint(path)


def legacy_with_view(tmp_path, offset, count):
    """Return a legacy file whose tensor lies in a part of a storage, as torch before 0.4 wrote."""
    storage = torch.arange(12, dtype=torch.float32)
    path = tmp_path / "view.pth"

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if isinstance(thing, Numbered):
                part = ("1", offset, count)
                return ("storage", torch.FloatStorage, "0", "cpu", 12, part)
            return None

    class Tensor:
        def __reduce__(self):
            rebuild = torch._utils._rebuild_tensor
            return rebuild, (Numbered(0), 1, (2, 2), (2, 1))

    with path.open("wb") as file:
        for head in (torch_legacy.MAGIC, 1001, {"little_endian": True}):
            pickle.dump(head, file, 2)
        Pickler(file, 2).dump({"w": Tensor()})
        pickle.dump(["0"], file, 2)
        file.write(struct.pack("<q", 12) + storage.numpy().tobytes())
    return path


def test_a_part_of_a_storage(tmp_path):
    path = legacy_with_view(tmp_path, 3, 6)
    expected = torch.load(path, weights_only=False)["w"]
    found = read_checkpoint(path)["w"].load()
    assert np.array_equal(found, [[4, 5], [6, 7]])
    assert bits(expected) == bits(found)


@pytest.mark.parametrize(("offset", "count"), [(3, 10), (-1, 4), (6, 3)])
def test_a_part_that_does_not_fit_is_refused(tmp_path, offset, count):
    with pytest.raises(InputError, match="reaches outside"):
        read_checkpoint(legacy_with_view(tmp_path, offset, count))
