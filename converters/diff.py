"""Two checkpoints tensor by tensor, across frameworks through the rules of conversion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from converters.bits import equal_bits
from converters.checkpoint import COUNTERS, Checkpoint
from converters.deviation import deviation
from converters.difference import Difference, TensorDifference
from converters.entries import Entry
from converters.errors import InputError
from converters.execution import Releasing, content_of, written_entries
from converters.formats.content import Head
from converters.layouts.network import framework_of
from converters.plan import ConversionPlan, native_keys, plan_conversion, without_prefix
from converters.planning.hints import ASSUMED
from converters.user_rules import UserRules

__all__ = ["Difference", "TensorDifference", "diff_checkpoints"]

Progress = Callable[[str], None]


def diff_checkpoints(
    a: Checkpoint,
    b: Checkpoint,
    *,
    tolerance: float = 0.0,
    target: Any = None,
    rules: UserRules | None = None,
    progress: Progress = lambda _: None,
) -> Difference:
    """Compare two checkpoints, one tensor in memory at a time.

    Of two frameworks one is brought to the other's names and layouts first: the one that the target
    network is not of; without a network ``a`` if there are rules, torch's otherwise.

    Args:
        a: the first.
        b: the second.
        tolerance: a difference up to this part of the tensor's largest value counts as close.
        target: a network of either framework, whose layers settle every layout.
        rules: renames, drops and layer kinds, for the checkpoint that is converted; of one
            framework for ``a``.
        progress: told each key.

    Raises:
        InputError: the frameworks differ and the network is not known, a network is given although
            they do not, or another dict of a file might be meant.
    """
    for file in (a, b):
        if file.doubt:
            raise InputError(f"{file.path}: {file.doubt}")
    pairing = _Pairing(tolerance, target, rules or UserRules(), progress)
    if a.framework == b.framework:
        if target is not None:
            raise InputError(f"both files are {a.framework}'s: a network settles nothing")
        rows = tuple(pairing.within(a, b))
    elif a.framework == pairing.origin(a):
        rows = tuple(pairing.across(a, b))
    else:
        rows = tuple(map(turned, pairing.across(b, a)))
    for file in (a, b):
        file.require_unchanged()
    return Difference(str(a.path), str(b.path), rows)


def turned(row: TensorDifference) -> TensorDifference:
    """Return a row with the sides exchanged."""
    other = {"only in A": "only in B", "only in B": "only in A"}
    return replace(row, a=row.b, b=row.a, state=other.get(row.state, row.state))


@dataclass(frozen=True)
class _Pairing:
    """How the tensors of two checkpoints find each other."""

    tolerance: float
    target: Any
    rules: UserRules
    progress: Progress

    def origin(self, a: Checkpoint) -> str:
        """Return whose checkpoint is converted."""
        if self.target is not None:
            return "torch" if framework_of(self.target) == "paddle" else "paddle"
        return a.framework if self.rules != UserRules() else "torch"

    def within(self, a: Checkpoint, b: Checkpoint) -> Iterator[TensorDifference]:
        """Yield the tensors of two checkpoints of one framework, paired by name."""
        ours, theirs, done = native_keys(a, self.rules), native_keys(b), Releasing((a, b))
        for name, key in ours.items():
            self.progress(key)
            tensor = a[key]
            if name not in theirs:
                yield TensorDifference(key, "", "only in A")
                continue
            head = Head(key, tensor.type, tensor.shape)
            yield paired(head, tensor.load(), key, b, theirs[name], self.tolerance)
            done(tensor.nbytes)
        for name, key in theirs.items():
            if name not in ours:
                yield TensorDifference("", key, "only in B")

    def across(self, a: Checkpoint, b: Checkpoint) -> Iterator[TensorDifference]:
        """Yield the tensors of ``a`` as ``b``'s framework has them, paired with ``b``'s."""
        plan = self.plan(a, b)
        theirs = native_keys(b) if self.target is None else without_prefix(b)
        entries = {key: entry for entry in written_entries(plan) for key in entry.targets}
        content = content_of(plan, self.progress)
        done = Releasing((b,))
        for head, array in zip(content.heads, content.tensors(), strict=True):
            entry = entries[head.key]
            source = ", ".join(entry.sources)
            if uncounted(entry, a):
                other = theirs.get(head.key, "")
                yield TensorDifference("", other, "set aside", reason=entry.reason)
            elif head.key not in theirs:
                yield TensorDifference(source or head.key, "", "only in A")
            else:
                yield paired(head, array, source, b, theirs[head.key], self.tolerance)
            done(array.nbytes)
        for entry in plan.entries:
            if not entry.targets:
                state = "only in A" if "nowhere" in entry.reason else "set aside"
                yield TensorDifference(", ".join(entry.sources), "", state, reason=entry.reason)
        for name, key in theirs.items():
            if name not in entries and name not in content.aliases:
                yield TensorDifference("", key, "only in B")

    def plan(self, a: Checkpoint, b: Checkpoint) -> ConversionPlan:
        """Return the plan of ``a``'s conversion to ``b``'s framework.

        Raises:
            InputError: what its tensors are can only be assumed.
        """
        plan = plan_conversion(
            a, to=b.framework, origin=a.framework, target=self.target, rules=self.rules
        )
        if self.target is None and plan.layout.arch == "generic" and plan.problems:
            raise InputError(f"{a.path}: the network is not known: {plan.problems[0]}; {ASSUMED}")
        return plan


def uncounted(entry: Entry, source: Checkpoint) -> bool:
    """Return whether an entry makes a count of batches that the source knows nothing of."""
    counts = entry.targets[0].rpartition(".")[2] == COUNTERS
    return counts and not entry.sources and entry.targets[0] not in source.counters


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
    state = "close" if close else "values" if same_type else "type"
    reason = "" if same_type else f"{head.type.name} against {tensor.dtype}"
    if same_type and not differing:
        reason = "the same values in other bits"
    return TensorDifference(key, other, state, differing, largest, relative, reason)
