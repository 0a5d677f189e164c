"""The engine of planning: the rows of every layer, applied to the keys of a checkpoint.

It knows no layouts; those are in :mod:`converters.rules`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from converters.checkpoint import LazyTensor
from converters.dtypes import BY_NAME, DType
from converters.entries import Entry, same_bits, single
from converters.layouts import Layer, Layout, join
from converters.rules import BY_KIND, WEIGHT_NORM, TensorRule, direction_of, norms_shape
from converters.source import Source
from converters.transforms import FLOATING, TRANSFORMS


def plan_entries(
    source: Source, layout: Layout, dtype: str, to: str
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Return every key's fate, and what forbids a strict conversion, one line each.

    Args:
        source: the checkpoint's keys by name.
        layout: the network.
        dtype: element type of floating-point tensors in the target, or ``keep``.
        to: the target framework.
    """
    planner = _Planner(source, layout, dtype, to)
    entries = tuple(planner.entries())
    # Several layers may share one assumption.
    return entries, tuple(dict.fromkeys(planner.problems))


@dataclass
class _Planner:
    """Goes through the layers once and takes each key off the list of those still open."""

    source: Source
    layout: Layout
    dtype: str
    other: str
    problems: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    @property
    def origin(self) -> str:
        return self.source.framework

    def entries(self) -> Iterator[Entry]:
        yield from self.dropped()
        for layer in self.layout.layers:
            self.problems.extend(layer.problems)
            if layer.assumption:
                self.problems.append(f"assumed: {layer.assumption}")
            for row in layer.rows:
                yield from self.row(layer, row)
        yield from self.second_names()
        self.problems.extend(self.doubtful_norms())
        for name in self.source.names:
            if name not in self.used:
                yield self.left_over(name)

    def dropped(self) -> Iterator[Entry]:
        for name, reason in self.source.dropped.items():
            self.used.add(name)
            yield self.drop((name,), reason)

    def row(self, layer: Layer, row: TensorRule) -> Iterator[Entry]:
        sources, targets = self.source_names(layer, row), layer.keys(row, self.other)
        present = [name for name in sources if name in self.source.names]
        present = [name for name in present if name not in self.source.dropped]
        self.used.update(present)
        if present and len(present) == len(sources):
            yield from self.found(layer, row, sources, targets)
            return
        for name in present:
            yield self.drop((name,), "the other parts of the tensor are missing")
        if row.torch in layer.shapes and (targets or present):
            yield from self.gap(layer, row, [name for name in sources if name not in present])

    def source_names(self, layer: Layer, row: TensorRule) -> tuple[str, ...]:
        names = layer.keys(row, self.origin)
        if self.origin == "torch":
            for spelling in (join(layer.path, name) for name in row.also):
                if names[0] not in self.source.names and spelling in self.source.names:
                    return (spelling,)
        return names

    def gap(self, layer: Layer, row: TensorRule, sources: list[str]) -> Iterator[Entry]:
        """Yield the entry of a target's tensor that the source does not have."""
        targets, expected = layer.keys(row, self.other), layer.shapes[row.torch]
        shape = self.target_shape(row, expected)
        if layer.spare:
            whole = "int64" if row.paddle is None else self.dtype_of(self.layout.layers[0])
            written = whole if layer.filled else ""
            yield Entry(None, single(targets), "missing", shape, written, layer.spare)
        elif row.paddle is None and not row.refused:
            counted = targets[0] in self.source.checkpoint.counters
            reason = f"{row.reason}; {'as the file carries it along' if counted else 'set to 0'}"
            yield Entry(None, single(targets), "missing", shape, "int64", reason)
        elif row.made and (dtype := self.dtype_of(layer)):
            reason = "the source's layer has none, which computes as zeros do"
            yield Entry(None, single(targets), "missing", shape, dtype, reason)
        else:
            needed = ", ".join(map(repr, targets))
            why = f" ({row.reason})" if row.refused else ""
            named = ", ".join(map(repr, sources)) or "a tensor"
            self.problems.append(f"missing: {named}, needed for {needed}{why}")
            reason = "the source has no such tensor"
            yield Entry(None, single(targets), "missing", shape, "", reason)

    def dtype_of(self, layer: Layer) -> str:
        """Return the element type that a layer's tensors will have, '' if it has none."""
        for row in layer.rows:
            for name in self.source_names(layer, row):
                if name in self.source.names:
                    return self.target_type(self.source.tensor(name)).name
        return ""

    def found(
        self, layer: Layer, row: TensorRule, sources: tuple[str, ...], targets: tuple[str, ...]
    ) -> Iterator[Entry]:
        """Yield the entries of tensors that the source has."""
        tensors = [self.source.tensor(name) for name in sources]
        expected = layer.shapes.get(row.torch)
        if not targets:
            if row.refused:
                self.problems.append(f"{sources[0]!r}: {row.reason}")
            yield self.drop(sources, row.reason)
        elif expected is None and row.zero and all(is_zero(tensor) for tensor in tensors):
            yield self.drop(sources, "all zero, and the target's layer has none")
        elif self.fits(row, sources, targets, expected):
            self.problems.extend(self.blanked(layer, row, sources[0]))
            self.problems.extend(self.doubtful_axis(layer, row))
            if row.doubt and self.origin != self.other:
                self.problems.append(f"assumed: {row.doubt}")
            yield self.carried(row, sources, targets, expected or ())
        else:
            yield self.drop(sources, "its shape or type does not fit the target's")
            if expected is not None:
                shape = self.target_shape(row, expected)
                reason = "the source's tensor does not fit"
                yield Entry(None, single(targets), "missing", shape, "", reason)

    def blanked(self, layer: Layer, row: TensorRule, source: str) -> Iterator[str]:
        place = layer.blank.get(row.torch)
        if place is not None and np.any(self.source.tensor(source).load()[place]):
            yield (
                f"{self.source.names[source]!r}: row {place} is not zero, and Paddle returns zeros "
                f"for it (padding_idx={place}); build the layer without padding_idx"
            )

    def doubtful_axis(self, layer: Layer, row: TensorRule) -> Iterator[str]:
        """Name norms that fit along several axes: a Paddle file does not tell which one it was."""
        if self.origin == "torch" or row.size != WEIGHT_NORM:
            return
        tensor = direction_of(row, layer.rows)
        norms, direction = layer.shapes[row.torch], layer.shapes[tensor.torch]
        # On a Linear the defaults are opposite: torch's axis 0, and Paddle's, which is torch's 1.
        opposite = tensor.transform == "transpose" and norms == norms_shape(norms[:1], direction)
        if opposite and norms and len(set(direction)) == 1:
            yield (
                f"assumed: {layer.path!r}: its weight norm runs along torch's axis 0; Paddle's "
                "own default on a Linear is the other axis, and a square weight fits both"
            )

    def fits(
        self,
        row: TensorRule,
        sources: tuple[str, ...],
        targets: tuple[str, ...],
        expected: tuple[int, ...] | None,
    ) -> bool:
        """Return whether tensors have the shape that a row needs; if not, say so."""
        tensors = [self.source.tensor(name) for name in sources]
        wanted = None if expected is None else self.source_shape(row, expected)
        odd = [
            (name, one) for name, one in zip(sources, tensors, strict=True) if one.shape != wanted
        ]
        for name, tensor in odd:
            self.problems.append(
                f"{self.source.names[name]!r}: shape {list(tensor.shape)}, expected "
                + (str(list(wanted)) if wanted is not None else "no such tensor")
                + f" for {single(targets)!r}"
            )
        types = {tensor.dtype for tensor in tensors}
        if len(types) > 1:
            self.problems.append(f"{sources}: merged, but of types {', '.join(sorted(types))}")
        return not odd and len(types) == 1

    def carried(
        self,
        row: TensorRule,
        sources: tuple[str, ...],
        targets: tuple[str, ...],
        expected: tuple[int, ...],
    ) -> Entry:
        keys = tuple(self.source.names[name] for name in sources)
        inverse = self.origin == "paddle" and self.other == "torch"
        row = self.between(row)
        if inverse and TRANSFORMS[row.transform].undo is None:
            self.problems.append(
                f"{sources[0]!r}: {row.transform} has no way back ({row.reason}); "
                "convert into a network with plain BN, variant 'authors-bn'"
            )
            row = replace(row, transform="copy")
        tensor, shape = self.source.tensor(sources[0]), self.target_shape(row, expected)
        action = TRANSFORMS[row.transform].called(inverse=inverse)
        if action == "reshape" and shape == tensor.shape:
            action = "copy"
        if action == "copy" and targets != keys:
            action = "rename"
        dtype = self.target_type(tensor)
        reason = row.reason if action not in ("copy", "rename") or row.transform == "copy" else ""
        if dtype.name != tensor.dtype:
            reason = "; ".join(filter(None, (reason, f"{tensor.dtype} rounded to {dtype.name}")))
        return Entry(
            single(keys),
            single(targets),
            action,
            shape,
            dtype.name,
            reason,
            row.transform,
            inverse,
        )

    def drop(self, sources: tuple[str, ...], reason: str) -> Entry:
        keys = tuple(self.source.names[name] for name in sources)
        tensor = self.source.tensor(sources[0])
        return Entry(single(keys), None, "drop", tensor.shape, tensor.dtype, reason)

    def source_shape(self, row: TensorRule, shape: tuple[int, ...]) -> tuple[int, ...]:
        return TRANSFORMS[row.transform].shape(shape) if self.origin == "paddle" else shape

    def between(self, row: TensorRule) -> TensorRule:
        """Return a row as it applies: within one framework only a fold changes elements."""
        same = self.origin == self.other and row.transform != "fold"
        return replace(row, transform="copy", reason="") if same else row

    def target_shape(self, row: TensorRule, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape if self.other == "torch" else TRANSFORMS[row.transform].shape(shape)

    def target_type(self, tensor: LazyTensor) -> DType:
        if self.dtype == "keep" or tensor.type not in FLOATING:
            return tensor.type
        return BY_NAME[self.dtype]

    def second_names(self) -> Iterator[Entry]:
        """Yield the entries of second names: those that the source has and those of the target."""
        seconds = dict(self.layout.second_names(self.origin)) | self.twins()
        for second, first in seconds.items():
            if second not in self.used and {second, first} <= self.source.names.keys():
                self.used.add(second)
                yield self.alias(second, first)
        shapes = dict(self.target_shapes())
        for second, first in self.layout.second_names(self.other).items():
            why = f"the same tensor as {first!r}"
            yield Entry(None, second, "alias", shapes[first], "", why)

    def target_shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the shapes of the target's tensors by key."""
        for layer in self.layout.layers:
            for row in layer.rows:
                if row.torch in layer.shapes:
                    shape = self.target_shape(row, layer.shapes[row.torch])
                    for key in layer.keys(row, self.other):
                        yield key, shape

    def twins(self) -> dict[str, str]:
        """Return the second names that Paddle's recurrent layers give to their tensors."""
        found: dict[str, str] = {}
        if self.origin == "paddle":
            for layer in self.layout.layers:
                rule = BY_KIND.get(layer.kind)
                if rule is not None and rule.twins is not None:
                    path = layer.path if layer.paddle is None else layer.paddle
                    root = f"{path}." if path else ""
                    inside = [n.removeprefix(root) for n in self.source.names if n.startswith(root)]
                    pairs = rule.twins(inside).items()
                    found |= {join(path, twin): join(path, cell) for twin, cell in pairs}
        return found

    def alias(self, second: str, first: str) -> Entry:
        one, two = self.source.tensor(first), self.source.tensor(second)
        how = "shared storage"
        if one.identity is None or one.identity != two.identity:
            how = "equal bits"
            if not same_bits(one, two):
                self.problems.append(
                    f"{self.source.names[second]!r} should be the same tensor as "
                    f"{self.source.names[first]!r}, but differs"
                )
                how = "but its bits differ"
        key, reason = self.source.names[second], f"{self.source.names[first]!r} again, {how}"
        return Entry(key, None, "alias", two.shape, two.dtype, reason)

    def doubtful_norms(self) -> Iterator[str]:
        """Name the norms that may be in-place ABN: no counter where others of the file have one."""
        if self.origin == "paddle":
            return
        layers = [one for one in self.layout.layers if one.kind == "batch_norm" and not one.spare]
        norms = [layer.path for layer in layers]
        odd = [path for path in norms if join(path, "num_batches_tracked") not in self.source.names]
        if len(odd) < len(norms):
            for path in (path for path in odd if self.source.rules.kind_of(path) is None):
                yield (
                    f"{path!r}: counts no batches while other BN layers do, which is how in-place "
                    "ABN (scale |weight| + eps) looks; say in --rules whether it is of kind "
                    "inplace_abn (its scale is folded) or batch_norm"
                )

    def left_over(self, name: str) -> Entry:
        tensor = self.source.tensor(name)
        self.problems.append(
            f"unaccounted for: {name!r} {list(tensor.shape)} {tensor.dtype} is in the source and "
            f"nowhere in {self.layout.arch}"
        )
        return self.drop((name,), "nowhere in the target network")


def is_zero(tensor: LazyTensor) -> bool:
    """Return whether all elements of a tensor are zero; reads it."""
    return not np.any(tensor.load())
