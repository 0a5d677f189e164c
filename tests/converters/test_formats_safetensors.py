"""Safetensors against their library: every type that both know, metadata, and what is refused."""

import json
import struct
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from samples import bits
from test_formats import FAST, KEYS, SHAPES, assert_same, random_tensor, rows_of

from converters import InputError, convert_file, read_checkpoint
from converters.dtypes import BY_SAFETENSORS
from converters.formats import safetensors_file
from converters.formats.content import Content, content_of

# The library's own list of what torch may hold, and the types that it writes without listing them.
THEIRS = {str(kind).removeprefix("torch.") for kind in safetensors.torch._TYPES.values()}
OURS = {kind.name for kind in BY_SAFETENSORS.values()}
TEXTS = st.dictionaries(KEYS, st.text(st.characters(codec="utf-8"), max_size=12), max_size=4)


@st.composite
def all_types(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    """Draw a state dict with tensors of every type there is."""
    shapes = {name: draw(SHAPES) for name in sorted(OURS)}
    return {
        f"{draw(KEYS)}.{name}": random_tensor(name, shape, seed)
        for seed, (name, shape) in enumerate(shapes.items())
    }


def test_no_type_of_the_library_is_missing():
    assert THEIRS <= OURS
    assert {"float8_e8m0fnu"} == OURS - THEIRS


@FAST
@given(state=all_types(), metadata=TEXTS)
def test_what_the_library_writes_is_read(tmp_path, state, metadata):
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file(state, path, metadata=metadata)
    found = read_checkpoint(path)
    assert_same({key: found[key] for key in state}, state)
    assert set(found) == set(state)
    assert dict(found.metadata) == metadata


@FAST
@given(state=all_types(), metadata=TEXTS)
def test_what_we_write_is_read_by_the_library(tmp_path, state, metadata):
    path = tmp_path / "a.safetensors"
    plain = content_of(rows_of(state))
    with path.open("wb") as file:
        safetensors_file.write(file, Content(plain.heads, plain.tensors, {}, metadata))
    with safetensors.safe_open(path, "pt") as opened:
        assert opened.metadata() == metadata
        assert set(opened.keys()) == set(state)
        for key, value in state.items():
            found = opened.get_tensor(key)
            assert (found.dtype, found.shape, bits(found)) == (
                value.dtype,
                value.shape,
                bits(value),
            )
    assert_same(read_checkpoint(path), state)


def file_of(folder: Path, metadata: object, *, kind="F32", start=0, behind=b"") -> Path:
    """Write a file of one tensor of eight bytes by hand, be it right or wrong."""
    header = {"__metadata__": metadata} if metadata is not None else {}
    header["weight"] = {"dtype": kind, "shape": [2], "data_offsets": [start, start + 8]}
    text = json.dumps(header).encode()
    path = folder / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(start + 8) + behind)
    return path


def test_a_text_that_happens_to_be_a_key_is_no_second_name(tmp_path):
    found = read_checkpoint(file_of(tmp_path, {"note": "weight", "format": "pt"}))
    assert list(found) == ["weight"]
    assert found.metadata["note"] == "weight"
    assert dict(found.skipped) == {"__metadata__.note": "str 'weight'"}


@pytest.mark.parametrize(
    ("value", "told"),
    [(3, "int 3"), ([1, 2], "list of 2 entries"), ({"a": "weight"}, "dict of 1 entries")],
)
def test_metadata_that_is_no_text_is_listed_and_the_weights_are_read(tmp_path, value, told):
    path = file_of(tmp_path, {"odd": value, "arch": "x"})
    with pytest.raises(safetensors.SafetensorError):
        safetensors.torch.load_file(path)
    found = read_checkpoint(path)
    assert list(found) == ["weight"]
    assert dict(found.metadata) == {"arch": "x"}
    assert dict(found.skipped) == {"__metadata__.odd": told}


def test_second_names_stand_under_a_name_of_our_own(tmp_path):
    rows = list(rows_of({"weight": torch.ones(2, 3)}))
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        safetensors_file.write(file, content_of(rows, {"note": "weight"}))
    with safetensors.safe_open(path, "pt") as opened:
        assert opened.metadata() == {safetensors_file.SECOND_NAMES: '{"note": "weight"}'}
    found = read_checkpoint(path)
    assert found["note"].identity == found["weight"].identity
    assert (dict(found.metadata), dict(found.skipped)) == ({}, {})


@pytest.mark.parametrize(
    "text", ['{"b": "gone"}', '{"b": ["weight"]}', '{"weight": "weight"}', "["]
)
def test_second_names_that_cannot_be_are_refused(tmp_path, text):
    path = file_of(tmp_path, {safetensors_file.SECOND_NAMES: text})
    with pytest.raises(InputError, match=r"a\.safetensors: .*second name.*save it again"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kind": "F4"}, "'weight' has type 'F4', expected one of F32, "),
        ({"kind": ["F32"]}, "'weight' has an unreadable header"),
        ({"start": 4}, "'weight' begins at byte 4 of the tensors, not at 0"),
        ({"behind": b"xy"}, "2 bytes behind the last tensor"),
        ({"metadata": [1]}, "the metadata of the safetensors header is no object"),
    ],
)
def test_what_the_library_refuses_too(tmp_path, wrong, told):
    path = file_of(tmp_path, **{"metadata": None, **wrong})
    with pytest.raises(InputError) as refused:
        read_checkpoint(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert told in str(refused.value)
    with pytest.raises(safetensors.SafetensorError):
        safetensors.torch.load_file(path)


def test_a_model_with_tied_weights_as_the_library_saves_it(tmp_path):
    """Its note of the removed name is listed; the tie comes from the network."""
    network = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5, bias=False))
    network[1].weight = network[0].weight
    safetensors.torch.save_model(network, str(tmp_path / "a.safetensors"))
    found = read_checkpoint(tmp_path / "a.safetensors")
    assert len(found) == 1
    (note,) = found.skipped
    assert note.removeprefix("__metadata__.") in network.state_dict()


def test_a_type_without_a_code_is_refused_with_file_key_and_mend(tmp_path):
    torch.save({"a.weight": torch.ones(2, 3, 1, 1, dtype=torch.complex128)}, tmp_path / "a.pth")
    target = tmp_path / "b.safetensors"
    with pytest.raises(InputError) as refused:
        convert_file(tmp_path / "a.pth", target, strict=False)
    assert str(refused.value) == (
        f"{target}: a safetensors file cannot hold 'a.weight' (complex128); leave them out with a "
        "drop in --rules, or write pdparams: --format"
    )
