"""Finding the state dict inside what a training script saved around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from converters.checkpoint import LazyTensor
from converters.errors import InputError

# Where two dicts hold equally many tensors, the earlier name is taken.
PREFERRED = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "module",
    "teacher",
    "ema",
)

Path_ = tuple[str, ...]
Found = tuple[str, Mapping[str, LazyTensor], Mapping[str, str]]


def choose_tensors(file: Path, content: Any, key: str | None) -> Found:
    """Choose the dict of tensors that a file is about.

    The one with the most tensors, at equal numbers the one with the better known name.

    Returns:
        Its dotted path in the file ('' for the top), its tensors by key, and the rest in words.

    Raises:
        InputError: there is none, or none at ``key``; what there is is listed.
    """
    candidates = {".".join(path): path for path in dict_paths(content)}
    if not candidates:
        raise InputError(f"{file}: holds no dict of tensors, but {describe(content)}")
    if key is not None and key not in candidates:
        known = ", ".join(repr(name) for name in candidates)
        raise InputError(f"{file}: no dict of tensors at {key!r}; there are {known}")
    path = (
        candidates[key]
        if key is not None
        else max(candidates.values(), key=lambda path: rank(path, inside(content, path)))
    )
    return ".".join(path), tensors_of(inside(content, path)), skipped_content(content, path)


def rank(path: Path_, tensors: Mapping[Any, Any]) -> tuple[int, int]:
    """Return a sort key: more tensors first, then the better known name."""
    known = bool(path) and path[-1] in PREFERRED
    return len(tensors_of(tensors)), -(PREFERRED.index(path[-1]) if known else len(PREFERRED))


def dict_paths(content: Any, path: Path_ = (), depth: int = 4) -> Iterator[Path_]:
    """Yield the path of every dict that holds tensors under text keys."""
    if not isinstance(content, dict) or depth == 0:
        return
    if tensors_of(content):
        yield path
    for name, value in content.items():
        if isinstance(name, str):
            yield from dict_paths(value, (*path, name), depth - 1)


def inside(content: Any, path: Path_) -> Any:
    """Return what lies at a path of nested dicts."""
    for step in path:
        content = content[step]
    return content


def tensors_of(content: Mapping[Any, Any]) -> dict[str, LazyTensor]:
    """Return the entries of a dict that are tensors under text keys."""
    return {
        key: value
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, LazyTensor)
    }


def skipped_content(content: Any, chosen: Path_) -> dict[str, str]:
    """Return all content but the chosen tensors in words, by its path."""
    skipped = {}
    for depth in range(len(chosen) + 1):
        for name, value in inside(content, chosen[:depth]).items():
            on_the_way = name == chosen[depth] if depth < len(chosen) else isinstance(name, str)
            taken = depth == len(chosen) and isinstance(value, LazyTensor)
            if not (on_the_way and (depth < len(chosen) or taken)):
                skipped[".".join(map(str, (*chosen[:depth], name)))] = describe(value)
    return skipped


def tensors_within(value: Any) -> Iterator[LazyTensor]:
    """Yield every tensor inside nested dicts, lists and tuples once."""
    open_, seen = [value], set[int]()
    while open_:
        item = open_.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, LazyTensor):
            yield item
        elif isinstance(item, dict):
            open_.extend(item.values())
        elif isinstance(item, (list, tuple)):
            open_.extend(item)


def describe(value: Any) -> str:
    """Return a few words on a value of a file: its kind, and size or content if short."""
    if isinstance(value, LazyTensor):
        return f"tensor {list(value.shape)} {value.dtype}, {value.nbytes} bytes"
    if isinstance(value, (dict, list, tuple)):
        words = f"{type(value).__name__} of {len(value)} entries".replace("StateDict", "dict")
        sizes = [tensor.nbytes for tensor in tensors_within(value)]
        return f"{words}, {len(sizes)} tensors, {sum(sizes)} bytes" if sizes else words
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:37] + '...'}"
