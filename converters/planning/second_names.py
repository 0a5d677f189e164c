"""Tensors that a file holds under several names: once in the target, each name accounted for."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from converters.bits import equal_bits
from converters.elements import gathered
from converters.entries import Entry, same_bits, single
from converters.layouts import Layer, Layout, Tie, join
from converters.layouts.grouping import beneath
from converters.planning.passage import Passage
from converters.planning.source import Source
from converters.rules import BY_KIND, TensorRule
from converters.transforms import TRANSFORMS


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
    ordered = sorted(source.names)
    for layer in layout.layers if source.framework == "paddle" else ():
        rule = BY_KIND.get(layer.kind)
        if rule is not None and rule.twins is not None:
            path = layer.path if layer.paddle is None else layer.paddle
            pairs = rule.twins(list(beneath(path, ordered))).items()
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


def through_rules(
    source: Source, passage: Passage, tie: Tie, seconds: tuple[str, ...], firsts: tuple[str, ...]
) -> tuple[Entry, str]:
    """Return the entry of a second name that is laid out otherwise, and what is wrong with it.

    Both tensors are read and brought into the target's layout, where they must be one.
    """
    keys, originals = ([source.names[name] for name in names] for names in (seconds, firsts))
    one = carried(source, passage, tie.row, seconds)
    two = carried(source, passage, tie.owned, firsts)
    same = one.shape == two.shape and equal_bits(one, two)
    problem = f"{keys[0]!r} is to be one tensor with {originals[0]!r} in the target, but differs"
    reason = f"one tensor with {originals[0]!r} in the target"
    tensor = source.tensor(seconds[0])
    entry = Entry(single(tuple(keys)), None, "alias", tensor.shape, tensor.dtype, reason)
    return entry, "" if same else problem


def carried(
    source: Source, passage: Passage, row: TensorRule, names: tuple[str, ...]
) -> np.ndarray:
    """Return the elements of a source's tensor in the target's layout."""
    keys = tuple(source.names[name] for name in names)
    transform = TRANSFORMS[passage.applied(row).transform]
    change = transform.undo if passage.inverse else transform.apply
    array = gathered(source.checkpoint, keys)
    return array if change is None else change(array, source.tensor(names[0]).type)


def with_shared(layout: Layout, source: Source) -> Layout:
    """Return the layout of a network that is not at hand with the tensors that its file shares.

    Names of the same bytes become second names where both have one layout; where they have not, as
    an embedding and the head that is tied to it, the target needs both tensors.
    """
    seen: dict[Hashable, tuple[Layer, TensorRule]] = {}
    aliases: dict[str, dict[str, str]] = {"torch": {}, "paddle": {}}
    layers = []
    for layer in layout.layers:
        rows = []
        for row in layer.rows:
            held = identity(source, layer.keys(row, source.framework)) if not row.norms else None
            owner, owned = seen.setdefault(held, (layer, row)) if held else (layer, row)
            if owned.transform == row.transform and owner is not layer:
                for framework, found in aliases.items():
                    firsts = owner.keys(owned, framework)
                    found.update(zip(layer.keys(row, framework), firsts, strict=True))
                continue
            tied = owner is not layer
            why = f"{row.reason}; tied to {owner.path!r}, which has another layout".lstrip("; ")
            rows.append(replace(row, reason=why) if tied else row)
        layers.append(layer if tuple(rows) == layer.rows else with_rows(layer, tuple(rows)))
    return replace(
        layout,
        layers=tuple(layers),
        aliases={**layout.aliases, **aliases["torch"]},
        paddle_aliases={**layout.paddle_aliases, **aliases["paddle"]},
    )


def with_rows(layer: Layer, rows: tuple[TensorRule, ...]) -> Layer:
    """Return a layer with some of its rows alone."""
    shapes = {row.torch: layer.shapes[row.torch] for row in rows if row.torch in layer.shapes}
    return replace(layer, tensors=rows, shapes=shapes)


def identity(source: Source, names: tuple[str, ...]) -> Hashable:
    """Return what is equal for names of the same bytes, None if nothing tells or there are none."""
    held = all(name in source.names and name not in source.dropped for name in names)
    if not names or not held:
        return None
    tensors = [source.tensor(name) for name in names]
    told = all(one.identity is not None and 0 not in one.shape for one in tensors)
    return tuple((one.identity, one.shape, one.type) for one in tensors) if told else None


def targets_seconds(layout: Layout, passage: Passage) -> Iterator[Entry]:
    """Yield the entries of the second names that the target has."""
    seconds = layout.second_names(passage.to)
    shapes = dict(target_shapes(layout, passage)) if seconds else {}
    for second, first in seconds.items():
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
