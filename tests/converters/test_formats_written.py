"""What our writers write, read by the libraries whose formats they are, and by ourselves."""

import json
import pickle
from pathlib import Path

import numpy as np
import paddle
import pytest
import safetensors.torch
import torch
from hypothesis import given
from samples import bits
from test_formats import FAST, assert_same, random_tensor, rows_of, states

from converters import InputError, read_checkpoint
from converters.dtypes import BY_NAME
from converters.formats import pdparams, safetensors_file, torch_zip
from converters.formats.content import Content, content_of
from converters.formats.writers import WRITERS

BYTES = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")
UNSIGNED = ("uint16", "uint32", "uint64")


def written(folder, name, writer, content):
    path = folder / name
    with path.open("wb") as file:
        writer(file, content)
    return path


@FAST
@given(state=states())
def test_safetensors_load_with_their_library(tmp_path, state):
    state = {key: value for key, value in state.items() if value.dtype != torch.complex128}
    path = written(tmp_path, "a.safetensors", safetensors_file.write, content_of(rows_of(state)))
    found = safetensors.torch.load_file(path)
    assert set(found) == set(state)
    for key, value in state.items():
        assert found[key].dtype == value.dtype
        assert found[key].shape == value.shape
        assert bits(found[key]) == bits(value)
    if state:
        assert_same(read_checkpoint(path), state)


@pytest.mark.parametrize("name", BYTES + UNSIGNED)
def test_young_types_both_ways(tmp_path, name):
    state = {"w": random_tensor(name, (3, 2), 1), "scalar": random_tensor(name, (), 2)}
    torch.save(state, tmp_path / "theirs.pth")
    assert_same(read_checkpoint(tmp_path / "theirs.pth"), state)
    ours = written(tmp_path, "ours.pth", torch_zip.write, content_of(rows_of(state)))
    assert_same(read_checkpoint(ours), state)
    for key, value in torch.load(ours, weights_only=True).items():
        assert value.dtype == state[key].dtype
        assert bits(value) == bits(state[key])
    safe = written(tmp_path, "a.safetensors", safetensors_file.write, content_of(rows_of(state)))
    assert_same(read_checkpoint(safe), state)
    assert bits(safetensors.torch.load_file(safe)["w"]) == bits(state["w"])


YOUNG = (*BYTES[:2], *UNSIGNED)
HELD_BY = {
    "complex128": {"pdparams", "torch-zip", "torch-legacy"},
    "float32": {"pdparams", "torch-zip", "torch-legacy", "safetensors"},
} | {name: {"torch-zip", "safetensors"} for name in YOUNG}


@pytest.mark.parametrize("to", ["torch", "paddle"])
@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("name", HELD_BY)
def test_types_that_a_format_cannot_hold_are_named_with_file_key_and_mend(to, form, name):
    content = content_of(rows_of({"w": random_tensor(name, (2,), 1)}))
    if form in HELD_BY[name]:
        WRITERS[form].require_types(Path("a.b"), content, to)
        return
    with pytest.raises(InputError) as refused:
        WRITERS[form].require_types(Path("a.b"), content, to)
    told = str(refused.value)
    assert told.startswith(f"a.b: a {form} file cannot hold 'w' ({name}); leave them out with")
    for other in HELD_BY[name]:
        assert (other in told.partition("or write")[2]) == (to in WRITERS[other].frameworks)


@pytest.mark.parametrize("form", WRITERS)
def test_second_names_and_metadata_come_back(tmp_path, form):
    rows = list(rows_of({"a": torch.ones(2, 3), "b": torch.zeros(4)}))
    plain = content_of(rows, {"second": "a"})
    content = Content(plain.heads, plain.tensors, plain.aliases, {"arch": "some", "n": "a b"})
    found = read_checkpoint(written(tmp_path, "any.name", WRITERS[form].write, content))
    assert found.format == form
    assert set(found) == {"a", "b", "second"}
    assert found["second"].identity == found["a"].identity != found["b"].identity
    assert dict(found.metadata) == {"arch": "some", "n": "a b"}
    assert found.framework == ("paddle" if form == "pdparams" else "torch")


def test_second_names_load_in_the_libraries(tmp_path):
    rows = list(rows_of({"a": torch.ones(2, 3)}))
    content = content_of(rows, {"second": "a"})
    metadata = Content(content.heads, content.tensors, content.aliases, {"arch": "some"})
    found = paddle.load(str(written(tmp_path, "a.pdparams", pdparams.write, metadata)))
    assert set(found) == {"a", "second"}
    assert np.array_equal(found["second"].numpy(), np.ones((2, 3)))
    safe = written(tmp_path, "a.safetensors", safetensors_file.write, metadata)
    network = torch.nn.Module()
    network.a = network.second = torch.nn.Parameter(torch.zeros(2, 3))
    assert safetensors.torch.load_model(network, safe) == (set(), [])
    assert network.second.sum() == 6


@pytest.mark.parametrize("protocol", [2, 3])
def test_tensors_that_paddle_cut_are_whole_again(tmp_path, protocol):
    value = np.arange(12, dtype=np.float32).reshape(3, 4)
    flat = value.reshape(-1)
    slices = [f"w@@.{i}" for i in range(3)]
    content = {"b": np.ones(2, np.float32)} | dict(zip(slices, np.split(flat, 3), strict=True))
    content[pdparams.SLICE_TABLE] = {"w": {"OriginShape": (3, 4), "slices": slices}}
    path = tmp_path / "cut.pdparams"
    path.write_bytes(pickle.dumps(content, protocol))
    found = read_checkpoint(path)
    expected = paddle.load(str(path))
    assert set(found) == set(expected) == {"b", "w"}
    assert bits(found["w"].load()) == bits(expected["w"]) == value.tobytes()
    content.pop(slices[1])
    path.write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(InputError, match="sliced tensors do not fit"):
        read_checkpoint(path)


def test_paddles_binary_format_is_named(tmp_path):
    path = tmp_path / "lone.pdparams"
    paddle.save(paddle.ones([2]), str(path), use_binary_format=True)
    with pytest.raises(InputError, match="use_binary_format"):
        read_checkpoint(path)


def test_nested_paddle_dicts(tmp_path):
    path = tmp_path / "train.pdparams"
    layer = paddle.nn.Linear(3, 5)
    optimizer = paddle.optimizer.Adam(parameters=layer.parameters())
    layer(paddle.ones([2, 3])).sum().backward()
    optimizer.step()
    paddle.save(
        {"epoch": 3, "model": layer.state_dict(), "optimizer": optimizer.state_dict()}, str(path)
    )
    found = read_checkpoint(path, key="model")
    assert {key: bits(value.load()) for key, value in found.items()} == {
        key: bits(value) for key, value in layer.state_dict().items()
    }
    assert found.skipped["epoch"] == "int 3"
    assert "tensors" in found.skipped["optimizer"]


def test_an_optimizer_is_skipped_with_its_size(tmp_path):
    layer = torch.nn.Linear(10, 7)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 10)).sum().backward()
    optimizer.step()
    path = tmp_path / "train.pth"
    torch.save({"model": layer.state_dict(), "optimizer": optimizer.state_dict()}, path)
    found = read_checkpoint(path)
    assert found.wrapper == "model"
    size = 4 * 2 * (70 + 7) + 2 * 4
    assert found.skipped["optimizer"] == f"dict of 2 entries, 6 tensors, {size} bytes"


def test_safetensors_keys_that_stand_twice_are_refused(tmp_path):
    entry = '{"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}'
    header = f'{{"a": {entry}, "a": {entry}}}'.encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    with pytest.raises(InputError, match="names a key twice"):
        read_checkpoint(path)


def test_metadata_is_never_trusted(tmp_path):
    rows = list(rows_of({"a": torch.ones(2)}))
    plain = content_of(rows)
    counters = {"x": 3, "y": True, "z": "4", "big": 2**70}
    facts = {"num_batches_tracked": json.dumps(counters)}
    content = Content(plain.heads, plain.tensors, {}, facts)
    found = read_checkpoint(written(tmp_path, "a.pdparams", pdparams.write, content))
    assert dict(found.counters) == {"x": 3}
    assert BY_NAME[found["a"].dtype].name == "float32"
