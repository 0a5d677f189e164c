"""The fate of one tensor: carried over, dropped, or missing, as its rule has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from converters.checkpoint import LazyTensor
from converters.entries import Entry, single
from converters.layouts import Layer, Layout, join
from converters.planning.doubts import blanked_row, doubtful_axis
from converters.planning.passage import Passage
from converters.planning.source import Source
from converters.rules import TensorRule
from converters.transforms import TRANSFORMS


@dataclass
class Rows:
    """Makes the entries of a layer's row, and says what is wrong with it.

    Attributes:
        source: the checkpoint's keys by name.
        layout: the network.
        passage: from which framework to which.
        problems: what forbids a strict conversion, one line each; added to.
    """

    source: Source
    layout: Layout
    passage: Passage
    problems: list[str]

    def source_names(self, layer: Layer, row: TensorRule) -> tuple[str, ...]:
        """Return the names of a row's tensors in the source, in the spelling that it has."""
        names = layer.keys(row, self.passage.origin)
        if self.passage.origin == "torch":
            for spelling in (join(layer.path, name) for name in row.also):
                if names[0] not in self.source.names and spelling in self.source.names:
                    return (spelling,)
        return names

    def gap(self, layer: Layer, row: TensorRule, sources: list[str]) -> Iterator[Entry]:
        """Yield the entry of a target's tensor that the source does not have."""
        targets, expected = layer.keys(row, self.passage.to), layer.shapes[row.torch]
        shape = self.passage.target_shape(row, expected)
        if layer.spare:
            whole = "int64" if row.paddle is None else self.dtype_of(self.layout.layers[0])
            written = whole if layer.filled else ""
            yield Entry(None, single(targets), "missing", shape, written, layer.spare)
        elif row.paddle is None and not row.refused:
            count = self.source.checkpoint.counters.get(targets[0])
            how = "set to 0" if count is None else "as the file carries it along"
            reason = f"{row.reason}; {how}"
            yield Entry(None, targets[0], "missing", shape, "int64", reason, value=count or 0)
        elif row.made and (dtype := self.dtype_of(layer)):
            reason = "the source's layer has none, which computes as zeros do"
            yield Entry(None, single(targets), "missing", shape, dtype, reason)
        else:
            needed = ", ".join(map(repr, targets))
            why = f" ({row.reason})" if row.refused else ""
            named = ", ".join(repr(self.source.spelt(name)) for name in sources) or "a tensor"
            self.problems.append(f"missing: {named}, needed for {needed}{why}")
            reason = "the source has no such tensor"
            yield Entry(None, single(targets), "missing", shape, "", reason)

    def dtype_of(self, layer: Layer) -> str:
        """Return the element type that a layer's tensors will have, '' if it has none."""
        for row in layer.rows:
            for name in self.source_names(layer, row):
                if name in self.source.names:
                    return self.passage.target_type(self.source.tensor(name)).name
        return ""

    def found(
        self, layer: Layer, row: TensorRule, sources: tuple[str, ...], targets: tuple[str, ...]
    ) -> Iterator[Entry]:
        """Yield the entries of tensors that the source has."""
        tensors = [self.source.tensor(name) for name in sources]
        expected = layer.shapes.get(row.torch)
        if not targets:
            if row.refused:
                self.problems.append(f"{self.source.names[sources[0]]!r}: {row.reason}")
            yield self.drop(sources, row.reason)
        elif expected is None and row.zero and all(is_zero(tensor) for tensor in tensors):
            yield self.drop(sources, "all zero, and the target's layer has none")
        elif self.fits(row, sources, targets, expected):
            self.problems.extend(blanked_row(self.source, layer, row, sources[0]))
            self.problems.extend(doubtful_axis(self.source, layer, row))
            if row.doubt and self.passage.origin != self.passage.to:
                self.problems.append(f"assumed: {row.doubt}")
            yield self.carried(row, sources, targets, expected or ())
        else:
            yield self.drop(sources, "its shape or type does not fit the target's")
            if expected is not None:
                shape = self.passage.target_shape(row, expected)
                reason = "the source's tensor does not fit"
                yield Entry(None, single(targets), "missing", shape, "", reason)

    def fits(
        self,
        row: TensorRule,
        sources: tuple[str, ...],
        targets: tuple[str, ...],
        expected: tuple[int, ...] | None,
    ) -> bool:
        """Return whether tensors have the shape that a row needs; if not, say so."""
        tensors = [self.source.tensor(name) for name in sources]
        wanted = None if expected is None else self.passage.source_shape(row, expected)
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
            names = ", ".join(repr(self.source.names[name]) for name in sources)
            self.problems.append(f"{names}: merged, but of types {', '.join(sorted(types))}")
        return not odd and len(types) == 1

    def carried(
        self,
        row: TensorRule,
        sources: tuple[str, ...],
        targets: tuple[str, ...],
        expected: tuple[int, ...],
    ) -> Entry:
        """Return the entry of tensors that fit.

        Args:
            row: their rule.
            sources: their names.
            targets: the keys that they get.
            expected: the shape that they have in torch.
        """
        keys = tuple(self.source.names[name] for name in sources)
        inverse, shape = self.passage.inverse, self.passage.target_shape(row, expected)
        row = self.passage.applied(row)
        if inverse and TRANSFORMS[row.transform].undo is None:
            self.problems.append(
                f"{keys[0]!r}: {row.transform} has no way back ({row.reason}); "
                "convert into a network with plain BN, variant 'authors-bn'"
            )
            row = replace(row, transform="copy")
        tensor = self.source.tensor(sources[0])
        action = TRANSFORMS[row.transform].called(inverse=inverse)
        if action == "copy" and targets != keys:
            action = "rename"
        dtype = self.passage.target_type(tensor)
        moved = action not in ("copy", "rename") or shape != tensor.shape
        reason = row.reason if moved or row.transform == "copy" else ""
        if dtype.name != tensor.dtype:
            how = "rounded" if dtype.itemsize <= tensor.type.itemsize else "widened"
            reason = "; ".join(filter(None, (reason, f"{tensor.dtype} {how} to {dtype.name}")))
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
        """Return the entry of tensors that are left out."""
        keys = tuple(self.source.names[name] for name in sources)
        tensor = self.source.tensor(sources[0])
        return Entry(single(keys), None, "drop", tensor.shape, tensor.dtype, reason)


def is_zero(tensor: LazyTensor) -> bool:
    """Return whether all elements of a tensor are zero; reads it."""
    return not np.any(tensor.load())
