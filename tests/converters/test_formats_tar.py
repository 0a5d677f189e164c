"""Torch's oldest files: tars from before 0.1.10, and storages that are parts of others."""

import io
import pickle
import struct
import tarfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
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


class Naming(pickle.Pickler):
    """Writes tensors as the persistent ids that the old tar files used."""

    def persistent_id(self, thing):
        return thing.number if isinstance(thing, Numbered) else None


class Numbered:
    def __init__(self, number):
        self.number = number


def tar_of(state, *, parts=()) -> bytes:
    """Return a tar file as torch before 0.1.10 wrote it."""
    storages, tensors = io.BytesIO(), io.BytesIO()
    names = {}
    pickle.dump(len(state), storages, 2)
    pickle.dump(len(state), tensors, 2)
    for number, (key, tensor) in enumerate(state.items()):
        storage = tensor.storage()
        names[key] = Numbered(1000 + number)
        kind = tensor.dtype
        pickle.dump((number, "cpu", OLD[kind]), storages, 2)
        raw = bits(torch.tensor([], dtype=kind).set_(tensor.untyped_storage(), 0, (len(storage),)))
        storages.write(struct.pack("<q", len(storage)) + raw)
        pickle.dump((1000 + number, number, OLD[kind]), tensors, 2)
        axes = tensor.dim()
        numbers = (*tensor.shape, *tensor.stride(), tensor.storage_offset())
        tensors.write(struct.pack(f"<ii{2 * axes + 1}q", axes, 0, *numbers))
    pickle.dump(list(parts), storages, 2)
    body = io.BytesIO()
    Naming(body, 2).dump(OrderedDict(names))
    return archive({"storages": storages, "tensors": tensors, "pickle": body})


OLD = {
    torch.float32: torch.FloatStorage,
    torch.float64: torch.DoubleStorage,
    torch.float16: torch.HalfStorage,
    torch.int64: torch.LongStorage,
    torch.int32: torch.IntStorage,
}


def archive(members) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content.getvalue())
            tar.addfile(info, io.BytesIO(content.getvalue()))
    return file.getvalue()


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
