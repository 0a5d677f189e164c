"""What a port's loss may have as another number: thresholds, counts, weights, constants."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from parity.causes.losses.calls import Call, Site
from parity.causes.losses.change import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Options of a call whose value may be another one.
OPTIONS = (
    ("cross_entropy", "label_smoothing", "label-smoothing-different"),
    ("smooth_l1_loss", "beta", "smooth-l1-delta"),
    ("huber_loss", "delta", "smooth-l1-delta"),
)
_COMPARED = ("gt", "lt", "ge", "le")
_SOLVED = {
    "add": ("smoothing-constant", "a number that is added"),
    "pow": ("exponent-different", "an exponent"),
    "mul": ("constant-different", "a factor"),
    "div": ("constant-different", "a divisor"),
}


def thresholds(calls: Sequence[Call]) -> Iterator[Change]:
    """Yield other thresholds of what a loss compares."""
    chosen = any(call.name in ("sort", "topk") for call in calls)
    cause = "ohem-rule" if chosen else "threshold-different"
    seen = [(c.name, c.constant) for c in calls if c.name in _COMPARED and c.constant is not None]
    for name, own in dict.fromkeys(seen):
        assert own is not None  # noqa: S101 - it was looked for
        for other in _other_thresholds(own):
            yield Change(
                cause,
                f"its threshold is {other:.6g}, torch's {own:.6g}",
                f"a threshold of {own:.6g}",
                Site(name, constant=own),
                partial(_with_constant, value=other),
            )


def _other_thresholds(own: float) -> list[float]:
    """A probability for its loss, or the reverse; the usual ones."""
    found = [math.exp(-own), 0.0, 0.5, 0.7, 0.9, -math.log(0.7), 1 - own]
    if own > 0:
        found.insert(0, -math.log(own))
    return [value for value in dict.fromkeys(found) if value != own]


def _with_constant(call: Call, value: float) -> Any:
    return call.with_constant(value)


def counts(calls: Sequence[Call]) -> Iterator[Change]:
    """Yield other numbers of the largest values that a loss takes."""
    for name in ("getitem", "topk"):
        seen = [(call, _taken(call)) for call in calls if call.name == name]
        for own in dict.fromkeys(count for _, count in seen if count):
            chosen = [call for call, count in seen if count == own]
            yield Change(
                "ohem-rule",
                f"it takes the {{value}} largest values, torch's {own}",
                f"{own} values instead of {{value}}",
                Site(name),
                partial(_taking, own=own),
                start=own,
                most=min(call.args[0].shape[0] for call in chosen) - 1,
            )


def _taken(call: Call) -> int:
    """Give the number of first values that a call takes of a vector; 0 if it does not."""
    tensor, what = call.args[0], call.args[1] if len(call.args) > 1 else call.kwargs.get("k")
    if tensor.ndim != 1:
        return 0
    if isinstance(what, slice):
        what = what.stop if what.start is None and what.step is None else None
    return what if isinstance(what, int) and not isinstance(what, bool) and what > 0 else 0


def _taking(call: Call, value: float, *, own: int) -> Any:
    if _taken(call) != own:
        return call.run()
    count = round(value)
    if call.name == "topk":
        return call.args[0].topk(count)
    return call.args[0][:count] if isinstance(call.args[1], slice) else call.args[0][count]


def terms(calls: Sequence[Call]) -> Iterator[Change]:
    """Yield other weights of each summand of the loss; 0 where it is forgotten."""
    for call in calls:
        operands = [arg for arg in call.args if isinstance(arg, torch.Tensor)]
        if call.name not in ("add", "sub") or len(operands) != 2 or _ndim(call.output):
            continue
        for place in range(2):
            yield Change(
                "loss-weight",
                f"summand {place + 1} of sum {call.number + 1} counts {{value}} times as in torch",
                "multiply it by {inverse}",
                Site(call.name, (call.number,)),
                partial(_scaled, place=place),
                start=1.0,
                linear=True,
                special=((0.0, "loss-term-dropped"),),
            )
            yield Change(
                "gradient-stopped",
                f"summand {place + 1} of sum {call.number + 1} gives no gradient",
                "no detach() and no stop_gradient=True in it",
                Site(call.name, (call.number,)),
                partial(_detached, place=place),
            )


def _ndim(value: Any) -> int:
    return value.ndim if isinstance(value, torch.Tensor) else 1


def _detached(call: Call, *, place: int) -> Any:
    return call.plain(*(arg.detach() if n == place else arg for n, arg in enumerate(call.args)))


def _scaled(call: Call, value: float, *, place: int) -> Any:
    return call.plain(*(arg * value if n == place else arg for n, arg in enumerate(call.args)))


def options(calls: Sequence[Call]) -> Iterator[Change]:
    """Yield other values of the options of criteria."""
    for name, option, cause in OPTIONS:
        own = [call.named.get(option) for call in calls if call.name == name]
        if own and own[0] is not None:
            yield Change(
                cause,
                f"its {option} is {{value}}, torch's {own[0]!r}",
                f"{option}={own[0]!r}",
                Site(name),
                partial(_with_option, option=option),
                start=float(own[0]),
            )


def _with_option(call: Call, value: Any, *, option: str) -> Any:
    return call.run(**{option: value})


def constants(calls: Sequence[Call]) -> Iterator[Change]:
    """Yield other numbers in what a loss computes."""
    seen = [(call.name, call.constant) for call in calls if call.name in _SOLVED]
    for name, own in dict.fromkeys(seen):
        if own is None:
            continue
        cause, what = _SOLVED[name]
        numbers = [c.number for c in calls if c.name == name and c.constant == own]
        for chosen in dict.fromkeys((tuple(numbers), *((n,) for n in numbers))):
            yield Change(
                cause,
                f"{what} is {{value}}, torch's {own:.6g}",
                f"{own:.6g} instead of {{value}}",
                Site(name, chosen),
                _with_constant,
                start=own,
            )
