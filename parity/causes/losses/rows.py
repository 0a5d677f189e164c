"""What a port's loss may do otherwise than torch's: one small function for each kind of call."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from parity.causes.losses import criteria, numbers
from parity.causes.losses.calls import Call, Site
from parity.causes.losses.change import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parity.causes.losses.criteria import Otherwise, Row


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


def changes(calls: Sequence[Call]) -> Iterator[Change]:
    """Yield what paddle's loss may do otherwise, likeliest first.

    Args:
        calls: Those of torch's loss, in order.
    """
    for name, rows in ROWS.items():
        own = [call for call in calls if call.name == name]
        for row in rows:
            yield from _of_row(row, own)
    yield from numbers.thresholds(calls)
    yield from numbers.counts(calls)
    yield from numbers.terms(calls)
    yield from numbers.options(calls)
    yield from numbers.constants(calls)


def _of_row(row: Row, calls: Sequence[Call]) -> Iterator[Change]:
    """Change all calls of a name at once, then each alone."""
    for place, call in enumerate(calls):
        for cause, words, mend, instead in row(call):
            if place == 0:
                yield Change(cause, words, mend, Site(call.name), instead)
            if len(calls) > 1:
                site = Site(call.name, (call.number,))
                yield Change(cause, words, mend, site, instead)
