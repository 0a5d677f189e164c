"""What a port's loss may do otherwise than torch's: one small function for each kind of call."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from parity.causes.losses import criteria
from parity.causes.losses.calls import Call, Site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parity.causes.losses.criteria import Otherwise, Row


@dataclass(frozen=True)
class Change:
    """One thing that paddle's loss may do otherwise.

    Attributes:
        cause: What it is called.
        words: What paddle does; with {value} where that was solved for.
        mend: What to write instead.
        site: The calls of torch's that it concerns.
        instead: What they come to; is given the value where one is solved for.
        start: Torch's value, where another is solved for.
        linear: The loss is linear in the value.
        special: A name for particular values that are found: (value, cause).
        most: The largest it may be, where the value is a whole number.
    """

    cause: str
    words: str
    mend: str
    site: Site
    instead: Callable[..., Any]
    start: float | None = None
    linear: bool = False
    special: tuple[tuple[float, str], ...] = ()
    most: int = 0


def _resize(call: Call) -> Iterator[Otherwise]:
    given = call.named
    corners, mode = given.get("align_corners"), given.get("mode")
    if mode in ("linear", "bilinear", "bicubic", "trilinear"):
        yield (
            "resize-align-corners",
            f"it resizes with align_corners={not corners}, torch's with {bool(corners)}",
            f"F.interpolate(…, align_corners={bool(corners)})",
            lambda call: call.run(align_corners=not corners),
        )
    other = "nearest" if mode == "bilinear" else "bilinear"
    if mode in ("nearest", "bilinear") and given["input"].ndim == 4:
        yield (
            "resize-mode",
            f"it resizes with mode={other!r}, torch's with {mode!r}",
            f"F.interpolate(…, mode={mode!r})",
            lambda call: call.run(mode=other, align_corners=None),
        )


def _axis(call: Call) -> Iterator[Otherwise]:
    given = call.named
    tensor = given.get("input", call.args[0] if call.args else None)
    own = given.get("dim", call.args[1] if len(call.args) > 1 else None)
    if tensor is None or not isinstance(own, int):
        return
    for other in range(tensor.ndim):
        if other != own % tensor.ndim:
            yield (
                "softmax-axis",
                f"its {call.name} goes over axis {other}, torch's over {own}",
                f"F.{call.name}(…, axis={own})",
                partial(_along, axis=other),
            )


def _along(call: Call, axis: int) -> Any:
    return getattr(torch, call.name)(call.args[0] if call.args else call.kwargs["input"], dim=axis)


def _mean_or_sum(call: Call) -> Iterator[Otherwise]:
    other = "sum" if call.name == "mean" else "mean"
    yield (
        "loss-reduction",
        f"it takes a {other} where torch's takes a {call.name}",
        f".{call.name}()",
        lambda call: getattr(torch, other)(*call.args, **call.kwargs),
    )


def _without(call: Call) -> Iterator[Otherwise]:
    yield (
        "clipping-dropped",
        f"it has no {call.name}({_limits(call)})",
        f".clip({_limits(call)})",
        lambda call: call.args[0],
    )


def _limits(call: Call) -> str:
    limits = [str(arg) for arg in call.args[1:]]
    return ", ".join([*limits, *(f"{name}={value}" for name, value in call.kwargs.items())])


def _order(call: Call) -> Iterator[Otherwise]:
    option = "descending" if call.name == "sort" else "largest"
    own = bool(call.kwargs.get(option, call.name == "topk"))
    yield (
        "ohem-rule",
        f"it takes the values from the other end: {option} is {not own}",
        f"{option}={own}",
        lambda call: call.function(*call.args, **{**call.kwargs, option: not own}),
    )


#: What may be wrong with a call, likeliest first.
ROWS: dict[str, tuple[Row, ...]] = {
    "cross_entropy": (
        criteria.ignored,
        criteria.weights,
        criteria.smoothing,
        criteria.reduction,
        criteria.probabilities,
    ),
    "nll_loss": (criteria.ignored, criteria.weights, criteria.reduction),
    "binary_cross_entropy_with_logits": (
        criteria.weights,
        criteria.reduction,
        criteria.probabilities,
    ),
    "binary_cross_entropy": (criteria.weights, criteria.reduction, criteria.as_probabilities),
    "smooth_l1_loss": (criteria.smooth_l1, criteria.reduction),
    "huber_loss": (criteria.reduction,),
    "mse_loss": (criteria.reduction,),
    "l1_loss": (criteria.reduction,),
    "kl_div": (criteria.reduction,),
    "interpolate": (_resize,),
    "softmax": (_axis,),
    "log_softmax": (_axis,),
    "mean": (_mean_or_sum,),
    "sum": (_mean_or_sum,),
    "clamp": (_without,),
    "sort": (_order,),
    "topk": (_order,),
}
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


def changes(calls: Sequence[Call]) -> Iterator[Change]:
    """Yield what paddle's loss may do otherwise, likeliest first.

    Args:
        calls: Those of torch's loss, in order.
    """
    for name, rows in ROWS.items():
        own = [call for call in calls if call.name == name]
        for row in rows:
            yield from _of_row(row, own)
    yield from _thresholds(calls)
    yield from _counts(calls)
    yield from _terms(calls)
    yield from _options(calls)
    yield from _constants(calls)


def _of_row(row: Row, calls: Sequence[Call]) -> Iterator[Change]:
    """Change all calls of a name at once, then each alone."""
    for place, call in enumerate(calls):
        for cause, words, mend, instead in row(call):
            if place == 0:
                yield Change(cause, words, mend, Site(call.name), instead)
            if len(calls) > 1:
                site = Site(call.name, (call.number,))
                yield Change(cause, words, mend, site, instead)


def _thresholds(calls: Sequence[Call]) -> Iterator[Change]:
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


def _counts(calls: Sequence[Call]) -> Iterator[Change]:
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


def _terms(calls: Sequence[Call]) -> Iterator[Change]:
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


def _options(calls: Sequence[Call]) -> Iterator[Change]:
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


def _constants(calls: Sequence[Call]) -> Iterator[Change]:
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
