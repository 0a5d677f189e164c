"""Torch's legacy format as we write it, against torch: bit for bit, both ways."""

import io
import pickle
import struct

import pytest
import torch
from hypothesis import given
from samples import bits
from test_formats import FAST, assert_same, rows_of, states

from converters import convert_file, read_checkpoint
from converters.dtypes import BY_STORAGE
from converters.formats import torch_legacy
from converters.formats.content import Content, content_of


def content_with(state, aliases=None, metadata=None) -> Content:
    plain = content_of(rows_of(state), aliases)
    return Content(plain.heads, plain.tensors, plain.aliases, metadata or {})


@FAST
@given(state=states())
def test_written_files_load_in_torch_either_way_and_here(tmp_path, state):
    first = next(iter(state))
    path = tmp_path / "a.pth"
    with path.open("wb") as file:
        torch_legacy.write(file, content_with(state, {"a second name": first}, {"arch": "é"}))
    for weights_only in (True, False):
        found = torch.load(path, weights_only=weights_only)
        second = found.pop("a second name")
        assert second.data_ptr() == found[first].data_ptr()
        assert list(found) == list(state)
        for key, value in found.items():
            assert (value.dtype, value.shape) == (state[key].dtype, state[key].shape)
            assert value.is_contiguous()
            assert bits(value) == bits(state[key])
    ours = read_checkpoint(path)
    assert ours.format == "torch-legacy"
    assert dict(ours.metadata) == {"arch": "é"}
    assert ours["a second name"].identity == ours[first].identity
    assert_same(ours, {**state, "a second name": state[first]})


@FAST
@given(state=states())
def test_it_is_what_torch_writes_but_for_the_storages_names(state):
    """The same globals, ids and tensors in the pickle, the same bytes behind it."""
    theirs, ours = io.BytesIO(), io.BytesIO()
    plain = {
        key: value.clone(memory_format=torch.contiguous_format) for key, value in state.items()
    }
    torch.save(plain, theirs, _use_new_zipfile_serialization=False)
    torch_legacy.write(ours, content_with(state))
    one, two = parts_of(theirs), parts_of(ours)
    assert one["facts"] == two["facts"]
    assert one["object"] == two["object"]
    assert one["storages"] == two["storages"]


def parts_of(file: io.BytesIO) -> dict[str, object]:
    """Return what a legacy file holds, its storages under numbers in the order of the pickle."""
    file.seek(0)
    numbers: dict[str, int] = {}
    facts = [pickle.load(file) for _ in range(3)]  # noqa: S301

    class Opened(pickle.Unpickler):
        def persistent_load(self, reference):
            kind, storage, key, *rest = reference
            return kind, storage, numbers.setdefault(key, len(numbers)), *rest

        def find_class(self, module, name):
            if module == "torch._utils":
                return lambda *arguments: (name, arguments)
            return super().find_class(module, name)

    unpickled = Opened(file).load()
    rows = {}
    for key in pickle.load(file):  # noqa: S301
        storage = next(value for value in unpickled.values() if value[1][0][2] == numbers[key])
        (count,) = struct.unpack("<q", file.read(8))
        kind = BY_STORAGE[storage[1][0][1].__name__]
        rows[numbers[key]] = file.read(count * kind.itemsize)
    assert file.read() == b""
    return {"facts": facts, "object": dict(unpickled), "storages": rows}


def test_equal_weights_give_equal_files():
    state = {"w": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(7)}
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        torch_legacy.write(file, content_with(state))
    assert files[0].getvalue() == files[1].getvalue()


def test_a_conversion_into_the_format(tmp_path):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    network[1].num_batches_tracked.fill_(7)
    torch.save(network.state_dict(), tmp_path / "a.pth")
    convert_file(tmp_path / "a.pth")
    report = convert_file(tmp_path / "a.pdparams", tmp_path / "old.tar", form="torch-legacy")
    assert (report.target.format, report.verified) == ("torch-legacy", True)
    found = torch.load(tmp_path / "old.tar", weights_only=True)
    assert {key: bits(value) for key, value in found.items()} == {
        key: bits(value) for key, value in network.state_dict().items()
    }


@pytest.mark.parametrize("cut", [1, 40])
def test_a_written_file_that_is_cut_off_is_noticed(tmp_path, cut):
    path = tmp_path / "a.pth"
    with path.open("wb") as file:
        torch_legacy.write(file, content_with({"w": torch.ones(4), "v": torch.ones(4)}))
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(Exception, match="cut off"):
        read_checkpoint(path)
