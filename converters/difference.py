"""How two checkpoints differ: values, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.shown import Shown
from converters.tables import plain_lines, rich_table

if TYPE_CHECKING:  # rich is loaded where something is shown
    from rich.console import RenderableType

STATES = ("equal", "close", "values", "type", "shape", "only in A", "only in B", "set aside")
SAME = ("equal", "close", "set aside")
# Columns of numbers.
RIGHT = (3, 4, 5)
# Tensors that are shown unasked.
MOST = 100


@dataclass(frozen=True)
class TensorDifference:
    """One tensor of two checkpoints.

    Attributes:
        a: its key in the first, '' if it is not there.
        b: its key in the second, '' if it is not there.
        state: one of :data:`STATES`.
        differing: number of elements whose values differ.
        largest: max|a − b|; NaN if one side alone is NaN, None where no values were compared.
        relative: the same over max|a|.
        reason: more in words.
    """

    a: str
    b: str
    state: str
    differing: int = 0
    largest: float | None = None
    relative: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Difference(Shown):
    """How two checkpoints differ; true if they hold the same.

    Attributes:
        a: the first file.
        b: the second file.
        tensors: every tensor of either.
        most: how many of those that differ are shown, None for all; JSON has them all.
    """

    a: str
    b: str
    tensors: tuple[TensorDifference, ...]
    most: int | None = MOST

    def __bool__(self) -> bool:
        """Return whether every tensor of either is in both and the same; false if none was."""
        states = {tensor.state for tensor in self.tensors}
        return states <= set(SAME) and bool(states & {"equal", "close"})

    @property
    def counts(self) -> dict[str, int]:
        """Number of tensors per state, those that occur."""
        states = [tensor.state for tensor in self.tensors]
        return {state: states.count(state) for state in STATES if state in states}

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values; a difference that is no number is null."""
        rows = [asdict(tensor) for tensor in self.tensors]
        for row in rows:
            for name in ("largest", "relative"):
                value = row[name]
                row[name] = None if value is None or not np.isfinite(value) else value
        return {"a": self.a, "b": self.b, "same": bool(self), "counts": self.counts} | {
            "tensors": rows
        }

    def plain(self) -> str:
        """Return the tensors that differ as lines, none of them broken."""
        rows = list(self._rows())
        return "\n".join((*(plain_lines(rows, RIGHT) if rows else ()), self._verdict()))

    def __rich__(self) -> RenderableType:
        """Return the tensors that differ, for a terminal."""
        from rich.console import Group
        from rich.text import Text

        rows = list(self._rows())
        table = [rich_table(rows, RIGHT)] if rows else []
        return Group(*table, Text(self._verdict(), style="green" if self else "red"))

    def _rows(self) -> Iterator[tuple[str, ...]]:
        odd = [tensor for tensor in self.tensors if tensor.state not in ("equal", "set aside")]
        if odd:
            yield "A", "B", "state", "differing", "max|a−b|", "of max|a|", ""
        for tensor in odd[: self.most]:
            yield (
                tensor.a,
                tensor.b,
                tensor.state,
                str(tensor.differing or ""),
                number(tensor.largest),
                number(tensor.relative),
                tensor.reason,
            )
        if len(odd) > len(odd[: self.most]):
            yield f"… and {len(odd[self.most :])} more: --all", "", "", "", "", "", ""

    def _verdict(self) -> str:
        words = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        return f"{'the same' if self else 'different'}: {words or 'nothing to compare'}"


def number(value: float | None) -> str:
    """Return a number for a table, '' for none."""
    return "" if value is None else f"{value:.3g}"
