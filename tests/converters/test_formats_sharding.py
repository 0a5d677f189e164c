"""Targets in shards: the conventions of Hugging Face's libraries, and all files or none."""

import hashlib
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from samples import bits
from test_formats import FAST, assert_same, rows_of, states

from converters import InputError, convert_file, output, read_checkpoint
from converters.files import temporary_beside
from converters.formats.content import content_of
from converters.formats.sharding import bytes_of, in_shards
from converters.formats.writers import WRITERS
from converters.output import Output

FORMS = {"safetensors": ".safetensors", "torch-zip": ".bin", "pdparams": ".pdparams"}
READERS = {
    "safetensors": safetensors.torch.load_file,
    "torch-zip": lambda path: torch.load(path, weights_only=True),
}


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(*(torch.nn.Conv2d(4, 8, 3) for _ in range(3)))


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Return a Paddle file whose weights go to torch: three of 1152 bytes, three of 32."""
    folder = tmp_path_factory.mktemp("source")
    torch.save(network().state_dict(), folder / "a.pth")
    convert_file(folder / "a.pth")
    return folder / "a.pdparams"


@FAST
@given(state=states(), limit=st.integers(1, 200), form=st.sampled_from(sorted(READERS)))
def test_shards_are_read_by_the_formats_library_and_here(tmp_path, state, limit, form):
    state = {key: value for key, value in state.items() if value.dtype != torch.complex128}
    if not state:
        return
    first = next(iter(state))
    content = content_of(rows_of(state), {"a second name": first})
    written = Output.of(tmp_path / f"m{FORMS[form]}", WRITERS[form], content, limit)
    with temporary_beside(tmp_path / "m", folder=True) as stage:
        folder = written.write(stage).folder
        theirs = {
            key: v for name in written.parts for key, v in READERS[form](folder / name).items()
        }
        second = theirs.pop("a second name", theirs[first])
        assert bits(second) == bits(state[first])
        assert {key: (v.dtype, v.shape, bits(v)) for key, v in theirs.items()} == {
            key: (v.dtype, v.shape, bits(v)) for key, v in state.items()
        }
        ours = read_checkpoint(folder / written.leading)
        assert ours["a second name"].identity == ours[first].identity
        order = [key for key in ours if key != "a second name"]
        assert order == list(state)
        assert_same({key: ours[key] for key in order}, state)
        sizes = [sum(head.nbytes for head in part.heads) for part in written.parts.values()]
        heads = [len(part.heads) for part in written.parts.values()]
        assert all(size <= limit or count == 1 for size, count in zip(sizes, heads, strict=True))


@FAST
@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=12), limit=st.integers(1, 120))
def test_no_shard_has_room_for_the_next_tensor(sizes, limit):
    state = {str(n): torch.zeros(size, dtype=torch.uint8) for n, size in enumerate(sizes)}
    shards = in_shards(content_of(rows_of(state)), limit)
    assert [head.key for shard in shards for head in shard.heads] == list(state)
    held = [sum(head.nbytes for head in shard.heads) for shard in shards]
    for before, after in itertools.pairwise(shards):
        assert sum(head.nbytes for head in before.heads) + after.heads[0].nbytes > limit
    assert sum(held) == sum(sizes)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2 * 10**9), ("1GiB", 2**30), ("500MB", 5 * 10**8), ("1.5kb", 1500), (77, 77)],
)
def test_sizes(text, size):
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "GB", "2 furlongs", "0.0001KB"])
def test_what_is_no_size(text):
    with pytest.raises(InputError, match="is no size of a shard; write one like 2GB"):
        bytes_of(text)


@pytest.mark.parametrize("form", ["safetensors", "torch-zip"])
def test_a_conversion_in_shards(source, tmp_path, form):
    target = tmp_path / f"model{FORMS[form]}"
    report = convert_file(source, target, to="torch", max_shard_size="1200")
    names = [f"model-0000{n}-of-00003{target.suffix}" for n in (1, 2, 3)]
    index = tmp_path / f"{target.name}.index.json"
    assert left(tmp_path) == sorted([*names, index.name])
    content = json.loads(index.read_text())
    state = network().state_dict()
    assert content["metadata"] == {"total_size": sum(value.nbytes for value in state.values())}
    assert list(content["weight_map"]) == list(state)
    assert set(content["weight_map"].values()) == set(names)
    for key, name in content["weight_map"].items():
        assert bits(READERS[form](tmp_path / name)[key]) == bits(state[key])
    assert report.verified
    assert report.target.path == str(index)
    assert report.target.format == f"{form}-sharded"
    assert [file["path"] for file in report.to_json()["files"]] == [
        *(str(tmp_path / name) for name in names),
        str(index),
    ]
    for file in report.files:
        data = Path(file.path).read_bytes()
        assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    # What was written is a source again, of the same hash.
    back = convert_file(index, tmp_path / "back.pdparams", to="paddle")
    assert (back.source.sha256, back.source.bytes) == (report.target.sha256, report.target.bytes)
    assert (tmp_path / "back.pdparams").read_bytes() == source.read_bytes()


def test_what_fits_into_one_file_has_no_index(source, tmp_path):
    report = convert_file(source, tmp_path / "a.safetensors", to="torch", max_shard_size="1GB")
    assert left(tmp_path) == ["a.safetensors"]
    assert (report.target.format, len(report.files)) == ("safetensors", 1)


def test_paddles_files_in_shards(source, tmp_path):
    convert_file(source, tmp_path / "a.pth")
    convert_file(tmp_path / "a.pth", tmp_path / "m.pdparams", max_shard_size=1200)
    assert len(left(tmp_path)) == 5
    found = read_checkpoint(tmp_path / "m.pdparams.index.json")
    assert (found.format, found.framework) == ("pdparams-sharded", "paddle")
    assert_same(found, read_all(source))


def read_all(path: Path) -> dict[str, np.ndarray]:
    return {key: tensor.load() for key, tensor in read_checkpoint(path).items()}


def test_an_older_target_of_another_number_of_shards_is_replaced_whole(source, tmp_path):
    target = tmp_path / "m.safetensors"
    convert_file(source, target, to="torch", max_shard_size=1200)
    three = left(tmp_path)
    assert len(three) == 4
    bystander = tmp_path / "m-00001-of-00003.bin"
    bystander.write_text("another's")
    with pytest.raises(InputError, match="exists already; --force replaces it"):
        convert_file(source, target, to="torch", max_shard_size=2400)
    assert left(tmp_path) == sorted([*three, bystander.name])
    target.write_text("a single file is preferred by readers")
    convert_file(source, target, to="torch", max_shard_size=2400, force=True)
    assert left(tmp_path) == sorted(
        [bystander.name, "m.safetensors.index.json"]
        + [f"m-0000{n}-of-00002.safetensors" for n in (1, 2)]
    )
    assert_same(read_checkpoint(tmp_path / "m.safetensors.index.json"), network().state_dict())


# All or nothing.


def failing(monkeypatch, place: int) -> None:
    """Let the move of a file fail that would be the n-th."""
    move, calls = Path.replace, iter(range(100))

    def struck(self, to):
        if next(calls) == place:
            raise OSError(5, "Input/output error")
        return move(self, to)

    monkeypatch.setattr(Path, "replace", struck)


@pytest.mark.parametrize("place", range(4))
def test_if_a_file_cannot_get_its_name_none_has(source, tmp_path, monkeypatch, place):
    failing(monkeypatch, place)
    with pytest.raises(InputError, match=r"not written .Input/output error"):
        convert_file(source, tmp_path / "m.bin", max_shard_size=1200)
    assert left(tmp_path) == []


@pytest.mark.parametrize("place", range(7))
def test_and_the_older_ones_are_as_they_were(source, tmp_path, monkeypatch, place):
    target = tmp_path / "m.bin"
    convert_file(source, target, max_shard_size=1200)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    failing(monkeypatch, place)
    with pytest.raises(InputError, match=r"not written .Input/output error"):
        convert_file(source, target, max_shard_size=2400, force=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_wrong_bit_in_any_shard_is_caught_before_any_file_has_its_name(
    source, tmp_path, monkeypatch, number
):
    write = Output.write

    def struck(self, stage):
        done = write(self, stage)
        path = done.folder / f"m-0000{number}-of-00003.safetensors"
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.write_bytes(content)
        return done

    monkeypatch.setattr(output.Output, "write", struck)
    with pytest.raises(Exception, match="was not written as planned"):
        convert_file(source, tmp_path / "m.safetensors", to="torch", max_shard_size=1200)
    assert left(tmp_path) == []


def test_interrupted_between_two_shards_nothing_is_left(source, tmp_path):
    seen: list[str] = []

    def progress(key: str) -> None:
        seen.append(key)
        if len(seen) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_file(source, tmp_path / "m.bin", max_shard_size=1200, progress=progress)
    assert left(tmp_path) == []


def test_the_source_is_no_target(source, tmp_path):
    convert_file(source, tmp_path / "m.safetensors", to="torch", max_shard_size=1200)
    index = tmp_path / "m.safetensors.index.json"
    with pytest.raises(InputError, match=re.escape("source and target are the same file")):
        convert_file(
            index, tmp_path / "m.safetensors", to="paddle", max_shard_size=1200, force=True
        )


def test_a_library_finds_every_key_of_the_index_in_its_shard(tmp_path):
    content = content_of(rows_of({"a": torch.ones(300), "b": torch.zeros(300)}), {"tied": "b"})
    written = Output.of(tmp_path / "m.safetensors", WRITERS["safetensors"], content, 1200)
    with temporary_beside(tmp_path / "m", folder=True) as stage:
        folder = written.write(stage).folder
        weight_map = json.loads((folder / written.leading).read_text())["weight_map"]
        assert set(weight_map) == {"a", "b"}
        for key, name in weight_map.items():
            with safetensors.safe_open(folder / name, "pt") as shard:
                assert key in shard.keys()  # noqa: SIM118 - no mapping
