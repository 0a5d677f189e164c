"""Finding the state dict inside what a training script saved around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.checkpoint import LazyTensor
from converters.errors import InputError
from converters.formats.beside import Opaque

# A dict under one of these names is a network's, the earlier the likelier.
# Python itself spells out no number that is longer.
LONG = 4096
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
# What an optimizer keeps is as large as the weights: names of its dicts, and ends of its keys.
_OPTIMIZER_NAME = re.compile(r"opt|.*optim.*|.*sched.*|.*scaler.*|master_weights", re.IGNORECASE)
_OPTIMIZER_KEY = re.compile(
    r".*(_moment\d?_\d|_velocity_\d|_pow_acc_\d|_mean_square_\d|[._]exp_avg(_sq)?"
    r"|momentum_buffer|square_avg|max_exp_avg_sq)"
)

Path_ = tuple[str, ...]


@dataclass(frozen=True)
class Chosen:
    """The dict of tensors that a file is about.

    Attributes:
        wrapper: its dotted path in the file, '' for the top.
        tensors: what it holds, by key.
        skipped: all else in the file, in words.
        others: the file's other dicts of tensors.
        rivals: those of them that might as well be meant.
    """

    wrapper: str
    tensors: Mapping[str, LazyTensor]
    skipped: Mapping[str, str]
    others: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()


def choose_tensors(file: Path, content: Any, key: str | None) -> Chosen:
    """Choose the dict of tensors that a file is about.

    A known name decides, then the number of tensors; an optimizer's dict is the last to be taken.

    Raises:
        InputError: there is none, or none at ``key``; what there is is listed.
    """
    candidates = named_paths(dict_paths(content))
    if not candidates:
        raise InputError(f"{file}: holds no dict of tensors, but {describe(content)}")
    if key is not None and key not in candidates:
        known = ", ".join(repr(name) for name in candidates)
        raise InputError(f"{file}: no dict of tensors at {key!r}; there are {known}")
    tensors = {name: tensors_of(inside(content, path)) for name, path in candidates.items()}
    best = max(candidates, key=lambda name: rank(candidates[name], tensors[name]))
    name = best if key is None else key
    others = tuple(one for one in candidates if one != name)
    rivals = [one for one in others if rivals_with(candidates, tensors, name, one)]
    return Chosen(
        name,
        tensors[name],
        skipped_content(content, candidates[name]),
        others,
        tuple(rivals) if key is None else (),
    )


def named_paths(paths: Iterable[Path_]) -> dict[str, Path_]:
    """Return paths by a name each: their steps with dots between, with slashes where that is taken.

    Only a key that holds a dot itself needs the latter.
    """
    named: dict[str, Path_] = {}
    for path in paths:
        name = ".".join(path)
        named["/".join(path) if name in named else name] = path
    return named


def rank(path: Path_, tensors: Mapping[str, LazyTensor]) -> tuple[bool, int, int, int]:
    """Return a sort key: no optimizer's, then the better known name, then more weights."""
    weights = weights_in(tensors)
    return not is_optimizers(path, tensors), -name_rank(path), weights, len(tensors)


def weights_in(tensors: Mapping[str, LazyTensor]) -> int:
    """Return how many tensors may be weights: no scalars, counts or random states."""
    return sum(bool(one.shape) and "float" in one.dtype for one in tensors.values())


def name_rank(path: Path_) -> int:
    """Return how well known a dict's name is, 0 the best."""
    known = bool(path) and path[-1] in PREFERRED
    return PREFERRED.index(path[-1]) if known else len(PREFERRED)


def is_optimizers(path: Path_, tensors: Mapping[str, LazyTensor]) -> bool:
    """Return whether a dict holds what an optimizer keeps, by its name or by its keys."""
    kept = sum(bool(_OPTIMIZER_KEY.fullmatch(key)) for key in tensors)
    return any(map(_OPTIMIZER_NAME.fullmatch, path)) or 2 * kept > len(tensors)


def rivals_with(
    paths: Mapping[str, Path_],
    tensors: Mapping[str, Mapping[str, LazyTensor]],
    chosen: str,
    other: str,
) -> bool:
    """Return whether another dict might as well be meant: weights too, under no lesser name.

    One inside the chosen dict is a part of it that would be lost; one around it may be the whole.
    """
    ours, theirs = paths[chosen], paths[other]
    part = theirs[: len(ours)] == ours
    weights = weights_in(tensors[other])
    whole = ours[: len(theirs)] == theirs and weights >= weights_in(tensors[chosen])
    likely = part or whole or name_rank(theirs) <= name_rank(ours)
    return likely and weights > 0 and not is_optimizers(theirs, tensors[other])


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
    if isinstance(value, int) and value.bit_length() > LONG:
        return f"int of {value.bit_length()} bits"
    text = repr(value)
    if isinstance(value, Opaque):
        return text
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:37] + '...'}"
