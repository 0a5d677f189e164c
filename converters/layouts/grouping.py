"""Which tensors of a network that is not at hand belong to one layer: keys, taken apart."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Protocol

from converters.layouts.evidence import Shape, Shapes
from converters.rules import BY_KIND, RULES


class Kinds(Protocol):
    """Whoever knows kinds of layers by path, and of lone tensors by key."""

    def kind_of(self, path: str) -> str | None:
        """Return a layer's kind, None if unknown."""

    def tensor_kind(self, key: str) -> str | None:
        """Return the kind of a tensor of a user's own layer, None if unknown."""


def grouped(shapes: Shapes, framework: str, kinds: Kinds) -> dict[str, dict[str, Shape]]:
    """Return the shapes by layer and name in it."""
    layers: dict[str, dict[str, Shape]] = {}
    ordered = sorted(shapes)
    for key, shape in shapes.items():
        path, name = owner_of(key, ordered, framework, kinds)
        layers.setdefault(path, {})[name] = shape
    return layers


# Names of tensors that hold a dot belong to the layer in front.
_PARAMETRIZED = re.compile(r"(?:(.*)\.)?(parametrizations\.\w+\.(?:original[01]?|0\._[uv]))")


_INNER = {
    rule.kind: re.compile(rf"(?:(?P<path>.*)\.)?(?P<name>{rule.inner})")
    for rule in RULES
    if rule.inner
}


def owner_of(key: str, ordered: Sequence[str], framework: str, kinds: Kinds) -> tuple[str, str]:
    """Return the path of the layer that a key belongs to, and the tensor's name in it.

    Args:
        key: of a tensor.
        ordered: all keys, sorted.
        framework: whose names they are.
        kinds: what the user says.
    """
    if match := _PARAMETRIZED.fullmatch(key):
        return match[1] or "", match[2]
    path, _, name = key.rpartition(".")
    for kind, pattern in _INNER.items():
        match = pattern.fullmatch(key) if framework == "paddle" else None
        if match is not None:
            outer = match["path"] or ""
            said = kinds.kind_of(outer)
            told = kind == "recurrent" and said is None and kinds.kind_of(path) is None
            if said == kind or (told and is_recurrent(outer, ordered)):
                return outer, match["name"]
    return path, name


_CELLS = re.compile(rf"{BY_KIND['recurrent'].inner}|\w+")


def is_recurrent(path: str, ordered: Sequence[str]) -> bool:
    """Return whether a path of Paddle's holds the cells of a recurrent layer and nothing else."""
    return all(map(_CELLS.fullmatch, beneath(path, ordered)))


def beneath(path: str, ordered: Sequence[str]) -> Iterator[str]:
    """Yield the names of the tensors beneath a path, without it.

    Args:
        path: '' for all.
        ordered: all names, sorted, so that nothing else is looked at.
    """
    root = f"{path}." if path else ""
    following = map(ordered.__getitem__, range(bisect_left(ordered, root), len(ordered)))
    for name in takewhile(lambda one: one.startswith(root), following):
        yield name.removeprefix(root)
