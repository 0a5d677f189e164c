"""Checkpoints in shards: read whole, or refused with the reason."""

import json

import pytest
import safetensors.torch
import torch
from samples import bits

from converters import InputError, read_checkpoint
from converters.files import check_target

STATE = {f"layer{i}.weight": torch.randn(3, i + 1) for i in range(4)}


def shards_of(folder, suffix="safetensors"):
    """Write two shards and their index; return the index's path and content."""
    keys = list(STATE)
    names = [f"model-0000{i}-of-00002.{suffix}" for i in (1, 2)]
    for name, part in zip(names, (keys[::2], keys[1::2]), strict=True):
        tensors = {key: STATE[key] for key in part}
        if suffix == "safetensors":
            safetensors.torch.save_file(tensors, folder / name, metadata={"format": "pt"})
        else:
            torch.save(tensors, folder / name)
    weight_map = {key: names[i % 2] for i, key in enumerate(keys)}
    return folder / f"model.{suffix}.index.json", {"metadata": {}, "weight_map": weight_map}


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_shards_are_read_in_the_order_of_the_index(tmp_path, suffix):
    path, index = shards_of(tmp_path, suffix)
    path.write_text(json.dumps(index))
    found = read_checkpoint(path)
    assert list(found) == list(STATE)
    assert found.format == {"safetensors": "safetensors", "bin": "torch-zip"}[suffix] + "-sharded"
    assert all(bits(found[key].load()) == bits(value) for key, value in STATE.items())
    assert len({tensor.identity for tensor in found.values()}) == len(STATE)
    assert [file.name for file in found.files] == [
        path.name,
        *sorted(set(index["weight_map"].values())),
    ]


def without_a_file(folder, index):
    (folder / index["weight_map"]["layer0.weight"]).unlink()
    return index


def without_a_key(folder, index):
    index["weight_map"]["layer9.weight"] = index["weight_map"]["layer0.weight"]
    return index


def in_two_shards(folder, index):
    names = sorted(set(index["weight_map"].values()))
    safetensors.torch.save_file(STATE, folder / names[1])
    return index


def not_in_the_index(folder, index):
    del index["weight_map"]["layer2.weight"]
    return index


def outside_the_folder(folder, index):
    index["weight_map"]["layer0.weight"] = "../model.safetensors"
    return index


def without_a_map(folder, index):
    return {"model_type": "bert"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_a_file, "1 of 2 shards are missing"),
        (without_a_key, "'layer9.weight' is not in model-00001"),
        (in_two_shards, "stands in model-00001.* and in model-00002"),
        (not_in_the_index, "'layer2.weight' of model-00001.* is not in the index"),
        (outside_the_folder, "no file beside the index"),
        (without_a_map, "without a 'weight_map'"),
    ],
)
def test_what_is_wrong_with_shards(tmp_path, damage, message):
    path, index = shards_of(tmp_path)
    path.write_text(json.dumps(damage(tmp_path, index)))
    with pytest.raises(InputError, match=message):
        read_checkpoint(path)


def test_a_key_twice_in_the_index_is_refused(tmp_path):
    path, index = shards_of(tmp_path)
    name = index["weight_map"]["layer0.weight"]
    path.write_text(f'{{"weight_map": {{"a": "{name}", "a": "{name}"}}}}')
    with pytest.raises(InputError, match="names a key twice"):
        read_checkpoint(path)


def test_a_shard_is_never_overwritten(tmp_path):
    path, index = shards_of(tmp_path)
    path.write_text(json.dumps(index))
    shard = tmp_path / index["weight_map"]["layer0.weight"]
    with pytest.raises(InputError, match="the same file"):
        check_target(shard, read_checkpoint(path).files, force=True)
