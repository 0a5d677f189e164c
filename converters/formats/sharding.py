"""Cutting a content into shards, as Hugging Face's libraries name and index them.

``NAME.safetensors`` becomes ``NAME-00001-of-0000N.safetensors`` … and
``NAME.safetensors.index.json``, which names for every key the shard that holds it and is read by
:mod:`converters.formats.sharded`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from converters.errors import InputError
from converters.files import named_like
from converters.formats.content import Content, Head

UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)


def bytes_of(size: str | int) -> int:
    """Return a size in bytes: ``2GB`` is 2·10⁹, ``2GiB`` 2·2³⁰, a number alone is bytes.

    Raises:
        InputError: it is no size, or none above zero.
    """
    found = _SIZE.fullmatch(str(size).strip())
    number, unit, binary = found.groups() if found else ("0", "", "")
    count = int(float(number) * (1024 if binary else 1000) ** UNITS[unit.upper()])
    if count < 1:
        raise InputError(f"{size!r} is no size of a shard; write one like 2GB, 500MB or 1GiB")
    return count


def in_shards(content: Content, limit: int) -> list[Content]:
    """Return a content cut into several that have to be written one after the other.

    A tensor is never cut: one beyond the limit has a shard of its own. A second name goes with its
    tensor.

    Args:
        content: what to cut.
        limit: bytes of tensors in a shard.
    """
    groups: list[list[Head]] = [[]]
    room = limit
    for head in content.heads:
        if head.nbytes > room and groups[-1]:
            groups.append([])
            room = limit
        groups[-1].append(head)
        room -= head.nbytes
    tensors = _once(content)
    return [_part(content, tuple(group), tensors) for group in groups]


def _once(content: Content) -> Iterator[np.ndarray]:
    yield from content.tensors()


def _part(content: Content, heads: tuple[Head, ...], tensors: Iterator[np.ndarray]) -> Content:
    keys = {head.key for head in heads}
    aliases = {second: first for second, first in content.aliases.items() if first in keys}
    return Content(heads, lambda: islice(tensors, len(heads)), aliases, content.metadata)


def shard_name(name: str, number: int, count: int) -> str:
    """Return the name of a shard, counted from 1."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{number:05d}-of-{count:05d}{dot}{suffix}"


def index_name(name: str) -> str:
    """Return the name of the index of a file in shards."""
    return f"{name}.index.json"


def index_of(shards: Mapping[str, Content], *, seconds: bool) -> bytes:
    """Return the index of shards by name.

    Args:
        shards: what each holds.
        seconds: second names are keys of the files, and so of the index.
    """
    weight_map = {
        key: name
        for name, shard in shards.items()
        for key in (*(head.key for head in shard.heads), *(shard.aliases if seconds else ()))
    }
    size = sum(head.nbytes for shard in shards.values() for head in shard.heads)
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    return json.dumps(index, indent=2).encode() + b"\n"


def shards_beside(path: Path) -> list[Path]:
    """Return the files beside a path that have the names of its shards, of whatever number."""
    stem, dot, suffix = path.name.rpartition(".")
    form = re.escape(stem) + r"-\d{5}-of-\d{5}" + re.escape(dot + suffix)
    return named_like(path.parent, form)
