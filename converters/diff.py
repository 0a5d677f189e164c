"""Two checkpoints tensor by tensor, across frameworks through the known layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.bits import equal_bits
from converters.checkpoint import Checkpoint
from converters.dtypes import DType
from converters.errors import InputError
from converters.execution import Releasing, content_of
from converters.formats.content import Head
from converters.plan import native_keys, plan_conversion
from converters.transforms import FLOATING, to_float64

if TYPE_CHECKING:  # rich is loaded where something is shown
    from rich.console import RenderableType

STATES = ("equal", "close", "values", "type", "shape", "only in A", "only in B", "set aside")
SAME = ("equal", "close", "set aside")
BLOCK = 1 << 20


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
class Difference:
    """How two checkpoints differ; true if they hold the same.

    Attributes:
        a: the first file.
        b: the second file.
        tensors: every tensor of either.
    """

    a: str
    b: str
    tensors: tuple[TensorDifference, ...]

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

    def __rich__(self) -> RenderableType:
        """Return the tensors that differ, for a terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None)
        for title in ("A", "B", "state", "differing", "max|a−b|", "of max|a|", ""):
            table.add_column(title, overflow="fold")
        odd = [tensor for tensor in self.tensors if tensor.state not in ("equal", "set aside")]
        for tensor in odd:
            table.add_row(
                Text(tensor.a),
                Text(tensor.b),
                tensor.state,
                str(tensor.differing or ""),
                number(tensor.largest),
                number(tensor.relative),
                Text(tensor.reason),
            )
        words = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        verdict = "the same" if self else "different"
        parts = [table] if odd else []
        return Group(*parts, Text(f"{verdict}: {words}", style="green" if self else "red"))


def number(value: float | None) -> str:
    """Return a number for a table, '' for none."""
    return "" if value is None else f"{value:.3g}"


def diff_checkpoints(
    a: Checkpoint,
    b: Checkpoint,
    *,
    tolerance: float = 0.0,
    progress: Callable[[str], None] = lambda _: None,
) -> Difference:
    """Compare two checkpoints, one tensor in memory at a time.

    Of two frameworks, torch's is brought to Paddle's names and layouts first.

    Args:
        a: the first.
        b: the second.
        tolerance: a difference up to this part of the tensor's largest value counts as close.
        progress: told each key.

    Raises:
        InputError: the frameworks differ and the network is not known.
    """
    if a.framework == b.framework:
        rows = tuple(within(a, b, tolerance, progress))
    elif a.framework == "torch":
        rows = tuple(across(a, b, tolerance, progress))
    else:
        rows = tuple(map(turned, across(b, a, tolerance, progress)))
    return Difference(str(a.path), str(b.path), rows)


def turned(row: TensorDifference) -> TensorDifference:
    """Return a row with the sides exchanged."""
    other = {"only in A": "only in B", "only in B": "only in A"}
    return replace(row, a=row.b, b=row.a, state=other.get(row.state, row.state))


def within(
    a: Checkpoint, b: Checkpoint, tolerance: float, progress: Callable[[str], None]
) -> Iterator[TensorDifference]:
    """Yield the tensors of two checkpoints of one framework, paired by name."""
    ours, theirs, done = native_keys(a), native_keys(b), Releasing((a, b))
    for name, key in ours.items():
        progress(key)
        tensor = a[key]
        if name not in theirs:
            yield TensorDifference(key, "", "only in A")
            continue
        head = Head(key, tensor.type, tensor.shape)
        yield paired(head, tensor.load(), key, b, theirs[name], tolerance)
        done(tensor.nbytes)
    for name, key in theirs.items():
        if name not in ours:
            yield TensorDifference("", key, "only in B")


def across(
    a: Checkpoint, b: Checkpoint, tolerance: float, progress: Callable[[str], None]
) -> Iterator[TensorDifference]:
    """Yield the tensors of torch's checkpoint ``a`` as Paddle has them, paired with ``b``'s."""
    plan = plan_conversion(a, to="paddle")
    if plan.layout.arch == "generic" and plan.problems:
        raise InputError(f"{a.path}: the network is not known: {plan.problems[0]}")
    sources = {key: ", ".join(entry.sources) for entry in plan.entries for key in entry.targets}
    theirs, content, seen = native_keys(b), content_of(plan, progress), set()
    done = Releasing((b,))
    for head, array in zip(content.heads, content.tensors(), strict=True):
        source = sources.get(head.key, head.key)
        seen.add(head.key)
        if head.key not in theirs:
            yield TensorDifference(source, "", "only in A")
            continue
        yield paired(head, array, source, b, theirs[head.key], tolerance)
        done(array.nbytes)
    for entry in plan.entries:
        if not entry.targets:
            state = "only in A" if "nowhere" in entry.reason else "set aside"
            yield TensorDifference(", ".join(entry.sources), "", state, reason=entry.reason)
    for name, key in theirs.items():
        if name not in seen and name not in content.aliases:
            yield TensorDifference("", key, "only in B")


def paired(
    head: Head, array: np.ndarray, key: str, b: Checkpoint, other: str, tolerance: float
) -> TensorDifference:
    """Return how a tensor of the first checkpoint differs from its partner in the second."""
    tensor = b[other]
    if head.shape != tensor.shape:
        reason = f"{list(head.shape)} against {list(tensor.shape)}"
        return TensorDifference(key, other, "shape", reason=reason)
    found = tensor.load()
    same_type = head.type == tensor.type
    if same_type and equal_bits(array, found):
        return TensorDifference(key, other, "equal")
    differing, largest, scale = deviation(array, head.type, found, tensor.type)
    relative = None if largest is None else largest / scale if scale else largest
    close = tolerance > 0 and relative is not None and relative <= tolerance
    state = "type" if not same_type else "close" if close else "values"
    reason = "" if same_type else f"{head.type.name} against {tensor.dtype}"
    if same_type and not differing:
        reason = "the same values in other bits"
    return TensorDifference(key, other, state, differing, largest, relative, reason)


def deviation(
    one: np.ndarray, first: DType, two: np.ndarray, second: DType
) -> tuple[int, float | None, float]:
    """Return how many elements differ, max|one − two|, and max|one|; block by block.

    NaN at the same place on both sides is no difference, on one side the largest is NaN.
    """
    if any(kind.name.startswith("float8") for kind in (first, second)):
        return int(np.count_nonzero(one != two)), None, 0.0
    differing, largest, scale = 0, 0.0, 0.0
    flat, other = one.reshape(-1), two.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        block = slice(start, start + BLOCK)
        mine, theirs = values(flat[block], first), values(other[block], second)
        odd = (mine != theirs) & ~(np.isnan(mine) & np.isnan(theirs))
        differing += int(np.count_nonzero(odd))
        with np.errstate(invalid="ignore", over="ignore"):
            # np.maximum keeps NaN, the built-in max would lose it.
            gaps = np.abs(mine[odd] - theirs[odd])
            largest = float(np.maximum(largest, gaps.max(initial=0.0)))
        scale = float(np.fmax(scale, np.fmax.reduce(np.abs(mine), initial=0.0)))
    return differing, largest, scale


def values(array: np.ndarray, kind: DType) -> np.ndarray:
    """Return elements in double precision, complex ones as complex."""
    if kind in FLOATING:
        return to_float64(array, kind)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
