"""Which change of torch's loss makes it paddle's, in its values and in its gradients?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.causes.losses.calls import Changing, Recording
from parity.causes.losses.kernels import Kernels
from parity.causes.losses.rows import changes
from parity.causes.settings import MEASURED
from parity.compare import tensor_error
from parity.losses import on_paddle, on_torch
from parity.record import NetworkError
from parity.result import Diagnosis
from parity.source import copy_as
from parity.training.side import is_network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from parity.backends import FloatType
    from parity.causes.losses.calls import Call
    from parity.causes.losses.change import Change
    from parity.losses import Found, LossCase, Losses

#: What a change may leave, and how much smaller than the difference that has to be.
LEFT = {"float64": 1e-7, "float32": 1e-5}
SMALLER = 1e-2
#: Trials of a value that is solved for.
TRIALS = 12


@dataclass(frozen=True)
class _Loss:
    """Torch's loss and what paddle's came to."""

    loss: Callable[..., Any]
    cases: Sequence[LossCase]
    wanted: Sequence[Found]
    dtype: FloatType

    def error(self, loss: Callable[..., Any], bound: float = np.inf) -> float:
        """Give the largest difference from paddle's; stops early beyond a bound."""
        worst = 0.0
        for case, wanted in zip(self.cases, self.wanted, strict=True):
            try:
                found = on_torch(loss, case, self.dtype)
            except NetworkError:
                return np.inf
            worst = max(worst, _distance(found, wanted))
            if worst > bound:
                break
        return worst

    def bound(self, before: float) -> float:
        """Give what a change may leave of a difference."""
        return min(LEFT[self.dtype], SMALLER * before)

    def total(self, loss: Callable[..., Any]) -> float:
        """Give the first case's loss."""
        return _first(on_torch(loss, self.cases[0], self.dtype))


def examine(losses: Losses, dtype: FloatType) -> list[Diagnosis]:
    """Find the change that explains paddle's loss; empty if none does.

    Args:
        losses: Both, and the batches.
        dtype: The precision.
    """
    plain = copy_as(losses.torch, dtype) if is_network(losses.torch) else losses.torch
    try:
        wanted = [on_paddle(losses.paddle, case, dtype) for case in losses.cases]
        found = [on_torch(plain, case, dtype) for case in losses.cases]
    except NetworkError:
        return []
    far = [_distance(*pair) for pair in zip(found, wanted, strict=True)]
    # The case that differs most comes first: most changes are out after it.
    order = sorted(range(len(far)), key=lambda n: -far[n] if np.isfinite(far[n]) else 0.0)
    both = _Loss(plain, [losses.cases[n] for n in order], [wanted[n] for n in order], dtype)
    before = max(far)
    calls = _recorded(both)
    for change in changes(calls):
        told = _tried(both, change, before)
        if told is not None:
            return [told]
    return _scaled(both, before) or _kernels(both, losses.paddle, calls, before)


def _scaled(both: _Loss, before: float) -> list[Diagnosis]:
    """Multiply torch's loss: is it paddle's then?"""
    own = both.total(both.loss)
    factor = _rounded(_first(both.wanted[0]) / own) if own else 0.0
    left = both.error(lambda *given: factor * both.loss(*given)) if factor else np.inf
    if left > both.bound(before):
        return []
    evidence = (
        f"it is {factor:.6g} times torch's, in value and gradients to {max(left, 1e-16):.0e} in "
        f"{len(both.cases)} cases: divided by a number of accumulated batches, or not?"
    )
    return [Diagnosis("loss-scale", "", evidence, f"loss * {1 / factor:.6g}", MEASURED)]


def _kernels(
    both: _Loss, theirs: Callable[..., Any], calls: Sequence[Call], before: float
) -> list[Diagnosis]:
    """Give paddle's convolutions the kernels of torch's."""
    case, exchange = both.cases[0], Kernels(calls)
    try:
        with exchange.exchanged():
            found = on_paddle(theirs, case, both.dtype)
        left = _distance(on_torch(both.loss, case, both.dtype), found)
    except NetworkError:
        return []
    if not exchange.other or left > both.bound(before):
        return []
    evidence = (
        f"{exchange.other[0]}; with torch's in its place loss and gradients are torch's to "
        f"{max(left, 1e-16):.0e}, without to {before:.0e}"
    )
    mend = "self.create_parameter(shape, default_initializer=nn.initializer.Assign(kernel))"
    return [Diagnosis("fuse-kernel", "", evidence, mend, MEASURED)]


def _recorded(both: _Loss) -> list[Call]:
    recording = Recording()
    on_torch(partial(_under, recording, both.loss), both.cases[0], both.dtype)
    return recording.calls


def _under(mode: Any, loss: Callable[..., Any], *arguments: Any) -> Any:
    with mode:
        return loss(*arguments)


def _changed(both: _Loss, change: Change, *value: float) -> Callable[..., Any]:
    def loss(*arguments: Any) -> Any:
        mode = Changing(change.site, lambda call: change.instead(call, *value))
        return _under(mode, both.loss, *arguments)

    return loss


def _tried(both: _Loss, change: Change, before: float) -> Diagnosis | None:
    value = None
    if change.start is not None:
        value = _solved(both, change)
        if value is None:
            return None
    values = () if value is None else (value,)
    bound = both.bound(before)
    left = both.error(_changed(both, change, *values), bound)
    if left > bound:
        return None
    cause, shown = change.cause, ""
    if value is not None:
        shown = f"{value:.6g}" if abs(value) > 1e-9 else "0"
        special = [name for known, name in change.special if abs(value - known) < 1e-6]
        cause = special[0] if special else cause
    words = change.words.replace("{value}", shown)
    inverse = f"{1 / value:.6g}" if value else ""
    mend = change.mend.replace("{value}", shown).replace("{inverse}", inverse)
    mend = "add it" if cause == "loss-term-dropped" else mend
    evidence = (
        f"{words}; torch's loss so changed agrees with paddle's in value and gradients to "
        f"{max(left, 1e-16):.0e} in {len(both.cases)} cases, unchanged to {before:.0e}"
    )
    return Diagnosis(cause, "", evidence, mend, MEASURED)


def _solved(both: _Loss, change: Change) -> float | None:
    """Find the value with which torch's loss comes to paddle's, by secants."""
    assert change.start is not None  # noqa: S101 - the caller looked
    target = _first(both.wanted[0])

    def miss(value: float) -> float:
        return both.total(_changed(both, change, value)) - target

    if change.most:
        return _counted(miss, change.most, abs(target))
    one, other = change.start, change.start * 0.9 + (0.05 if not change.start else 0.0)
    try:
        far, near = miss(one), miss(other)
        for _ in range(1 if change.linear else TRIALS):
            if near == far or not np.isfinite([near, far]).all():
                return None
            one, other, far = other, other - near * (other - one) / (near - far), near
            near = miss(other)
            if abs(near) <= 1e-14 * abs(target):
                break
    except NetworkError:
        return None
    return _rounded(other)


def _counted(miss: Callable[[float], float], most: int, scale: float) -> float | None:
    """Find the whole number with which a loss that falls with it comes to paddle's."""
    try:
        low, high = 1, most
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if miss(middle) > 1e-9 * scale else (low, middle)
        return float(low) if abs(miss(low)) <= 1e-6 * scale else None
    except NetworkError:
        return None


def _rounded(value: float) -> float:
    """Take the number that somebody would have written, if it is that one."""
    short = float(f"{value:.6g}")
    return short if abs(short - value) <= 1e-7 * max(abs(value), 1e-2) else value


def _first(found: Found) -> float:
    return float(next(iter(found[0].values())).reshape(()))


def _distance(one: Found, other: Found) -> float:
    """Give the largest difference of two losses, the first's values being the measure."""
    values, theirs = one[0], other[0]
    if len(values) == len(theirs) == 1:
        theirs = dict(zip(values, theirs.values(), strict=True))
    errors = [
        _error(values[name].reshape(()), theirs[name].reshape(()))
        for name in values
        if name in theirs
    ]
    for a, b in zip(one[1], other[1], strict=True):
        if a is not None or b is not None:
            some = a if a is not None else b
            assert some is not None  # noqa: S101 - one of them is there
            errors.append(
                _error(
                    np.zeros_like(some) if a is None else a, np.zeros_like(some) if b is None else b
                )
            )
    return max(errors, default=0.0)


def _error(one: np.ndarray, other: np.ndarray) -> float:
    found = tensor_error(one, other)
    if found.fault:
        return np.inf
    return 0.0 if found.error is None else found.error
