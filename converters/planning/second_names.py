"""Tensors that a file holds under several names: once in the target, each name accounted for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from converters.entries import Entry, same_bits
from converters.layouts import Layout, join
from converters.planning.passage import Passage
from converters.planning.source import Source
from converters.rules import BY_KIND


def second_names(source: Source, layout: Layout) -> Mapping[str, str]:
    """Return the second names that a source may have, each with the first."""
    return {
        **layout.second_names(source.framework),
        **source.seconds,
        **twins(source, layout),
    }


def twins(source: Source, layout: Layout) -> dict[str, str]:
    """Return the second names that Paddle's recurrent layers give to their tensors."""
    found: dict[str, str] = {}
    for layer in layout.layers if source.framework == "paddle" else ():
        rule = BY_KIND.get(layer.kind)
        if rule is not None and rule.twins is not None:
            path = layer.path if layer.paddle is None else layer.paddle
            root = f"{path}." if path else ""
            inside = [n.removeprefix(root) for n in source.names if n.startswith(root)]
            pairs = rule.twins(inside).items()
            found |= {join(path, twin): join(path, cell) for twin, cell in pairs}
    return found


def alias(source: Source, second: str, first: str) -> tuple[Entry, str]:
    """Return the entry of a second name, and what is wrong with it, '' if nothing is.

    Tensors that are not the same bytes of the file are read and compared.
    """
    one, two = source.tensor(first), source.tensor(second)
    key, original = source.names[second], source.names[first]
    how, problem = "shared storage", ""
    if one.identity is None or one.identity != two.identity:
        how = "equal bits"
        if not same_bits(one, two):
            problem = f"{key!r} should be the same tensor as {original!r}, but differs"
            how = "but its bits differ"
    reason = f"{original!r} again, {how}"
    return Entry(key, None, "alias", two.shape, two.dtype, reason), problem


def targets_seconds(layout: Layout, passage: Passage) -> Iterator[Entry]:
    """Yield the entries of the second names that the target has."""
    shapes = dict(target_shapes(layout, passage))
    for second, first in layout.second_names(passage.to).items():
        why = f"the same tensor as {first!r}"
        yield Entry(None, second, "alias", shapes[first], "", why)


def target_shapes(layout: Layout, passage: Passage) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the shapes of the target's tensors by key."""
    for layer in layout.layers:
        for row in layer.rows:
            if row.torch in layer.shapes:
                shape = passage.target_shape(row, layer.shapes[row.torch])
                for key in layer.keys(row, passage.to):
                    yield key, shape
