"""Checkpoints in shards: an index names for every key the file that holds it.

Hugging Face's libraries write ``model.safetensors.index.json`` and ``pytorch_model.bin.index.json``
so: ``{"metadata": …, "weight_map": {key: file beside the index}}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from converters.checkpoint import Checkpoint, LazyTensor
from converters.errors import InputError, brief
from converters.formats.content import json_object
from converters.mapped import MappedFile


def matches(data: memoryview) -> bool:
    """Return whether the bytes begin as JSON does."""
    head = bytes(data[:64])
    # The length of a safetensors header may look so, too, but for its zeros.
    return head.lstrip()[:1] == b"{" and b"\0" not in head


def read(file: MappedFile, read_shard: Callable[[MappedFile], Checkpoint]) -> Checkpoint:
    """Return the tensors of all shards, in the index's order.

    Raises:
        InputError: the index is broken, a shard or a key is missing, or a key stands in two shards.
    """
    path = file.path
    weight_map = read_index(path, memoryview(file))
    names = sorted(set(weight_map.values()))
    missing = [name for name in names if not is_file(path.parent / name)]
    if missing:
        raise InputError(
            f"{path}: {len(missing)} of {len(names)} shards are missing beside the index: "
            f"{', '.join(map(brief, missing[:5]))}; download them too"
        )
    opened = {name: MappedFile.of(path.parent / name) for name in names}
    for name, one in opened.items():
        if matches(memoryview(one)):
            raise InputError(f"{path}: names {brief(name)} as a shard, which is an index itself")
    shards = {name: read_shard(one) for name, one in opened.items()}
    problems = list(disagreements(weight_map, shards))
    if problems:
        raise InputError(f"{path}: index and shards disagree: {'; '.join(problems[:5])}")
    return Checkpoint(
        path,
        f"{shards[names[0]].format}-sharded",
        {
            key: apart(shards[name][key], name)
            for key, name in (weight_map | dict(second_names(weight_map, shards))).items()
        },
        skipped={
            f"{name}:{inner}": what
            for name, shard in shards.items()
            for inner, what in shard.skipped.items()
        },
        metadata=dict(shards[names[0]].metadata),
        files=(path, *(path.parent / name for name in names)),
        maps=(file, *(each for shard in shards.values() for each in shard.maps)),
    )


def is_file(path: Path) -> bool:
    """Return whether there is a file of a name that need not be one that a system can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_index(path: Path, data: memoryview) -> dict[str, str]:
    """Return the name of the shard of every key.

    Raises:
        InputError: the file is no index, or names a file outside its folder.
    """
    try:
        index = json_object(bytes(data))
    except ValueError as error:
        raise InputError(f"{path}: begins like JSON but is not readable ({error})") from error
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError(
            f"{path}: JSON without a 'weight_map', so no index of shards; give the checkpoint"
        )
    for name in weight_map.values():
        if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\\0"):
            raise InputError(
                f"{path}: names {brief(name)}, which is no file beside the index; refused"
            )
    return weight_map


def second_names(
    weight_map: Mapping[str, str], shards: Mapping[str, Checkpoint]
) -> Iterator[tuple[str, str]]:
    """Yield the keys that are not in the index, being second names of tensors that are, by shard.

    A safetensors file has them in its metadata alone.
    """
    for name, shard in shards.items():
        known = {shard[key].identity for key in shard if weight_map.get(key) == name} - {None}
        for key in shard:
            if key not in weight_map and shard[key].identity in known:
                yield key, name


def disagreements(weight_map: Mapping[str, str], shards: Mapping[str, Checkpoint]) -> Iterator[str]:
    """Yield where index and shards differ: keys that are missing, doubled or not in the index."""
    holders: dict[str, list[str]] = {}
    for name, shard in shards.items():
        for key in shard:
            holders.setdefault(key, []).append(name)
    seconds = set(second_names(weight_map, shards))
    for key, name in weight_map.items():
        if name not in holders.get(key, []):
            yield f"{key!r} is not in {name}"
    for key, names in holders.items():
        if len(names) > 1:
            yield f"{key!r} stands in {' and in '.join(names)}"
        elif key not in weight_map and (key, names[0]) not in seconds:
            yield f"{key!r} of {names[0]} is not in the index"


def apart(tensor: LazyTensor, shard: str) -> LazyTensor:
    """Return a tensor whose identity is not confused with that of another shard's."""
    identity: Any = None if tensor.identity is None else (shard, tensor.identity)
    return LazyTensor(tensor.shape, tensor.type, tensor.read, identity)
