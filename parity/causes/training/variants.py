"""Ways in which a port's optimizer departs from torch's: data, and what each is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from parity.causes.training.clip import Clip
from parity.causes.training.rules import PaddleRMSprop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parity.causes.training.course import Reference

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """An option that may have another value.

    Attributes:
        cause: What that is called.
        option: Torch's name for it.
        values: What it may be instead; a function makes one of torch's own value.
        mend: The code, with the wanted value in it.
    """

    cause: str
    option: str
    values: tuple[Any, ...]
    mend: str


ROWS = (
    Row("nesterov", "nesterov", (True, False), "Momentum(…, use_nesterov={wanted})"),
    Row("optimizer-different", "momentum", (0.0,), "Momentum(…, momentum={wanted})"),
    Row("momentum-different", "momentum", (0.9, 0.99, 0.95, 0.8, 0.5), "momentum={wanted}"),
    Row("dampening-dropped", "dampening", (0.0,), "multiply the gradient by 1 - {wanted}"),
    Row("optimizer-defaults", "betas", ((0.9, 0.999),), "beta1, beta2 = {wanted}"),
    Row(
        "optimizer-defaults",
        "betas",
        (lambda own: (own[0], 0.999), lambda own: (0.9, own[1])),
        "beta1, beta2 = {wanted}",
    ),
    Row("optimizer-defaults", "alpha", (0.95, 0.99, 0.9), "rho={wanted}"),
    Row("optimizer-defaults", "rho", (0.95, 0.9), "rho={wanted}"),
    Row("optimizer-defaults", "eps", (1e-6, 1e-8), "epsilon={wanted}"),
    Row("epsilon-different", "eps", (1e-10, 1e-7, 1e-5, 1e-4, 1e-3), "epsilon={wanted}"),
    Row("accumulator-start", "initial_accumulator_value", (0.0, 0.1), "start at {wanted}"),
    Row("rate-decay-dropped", "lr_decay", (0.0,), "a schedule of 1 / (1 + step · {wanted})"),
    Row("amsgrad", "amsgrad", (True, False), "amsgrad={wanted}"),
)
#: Optimizers that a port may have taken instead, with options that torch's own do not name.
OTHERS: tuple[tuple[str, Options], ...] = (
    ("Adam", {}),
    ("AdamW", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {}),
    ("Adagrad", {}),
    ("Adagrad", {"eps": 1e-6}),
    ("RMSprop", {}),
    ("Adamax", {}),
    ("NAdam", {}),
    ("RAdam", {}),
)
#: Paddle's names of torch's classes, for people.
NAMES = {"SGD": "Momentum", "RMSprop": "RMSProp"}


@dataclass(frozen=True)
class Variant:
    """One way to make an update, beside the decay and the rates.

    Attributes:
        cause: Its name, '' for torch's own way.
        words: What paddle does.
        mend: What to write instead.
        kind: The class of the rule.
        change: Makes a group's options of torch's.
        clip: What is done to the gradients.
        summed: Gradients add up over the steps.
    """

    cause: str
    words: str
    mend: str
    kind: type[Any]
    clip: Clip
    change: Callable[[Options], Options] = field(default=lambda options: options)
    summed: bool = False


def variants(reference: Reference, clip: Clip) -> Iterator[Variant]:
    """Yield torch's own way, then what departs from it, likeliest first.

    Args:
        reference: Torch's optimizer.
        clip: How torch clips.
    """
    own = reference.kind
    yield Variant("", "torch's rule", "", own, clip)
    yield from _clips(own, clip)
    if clip.kind == "none":
        words = "the gradients of earlier steps are added to each step's"
        mend = "optimizer.step(); optimizer.clear_grad()"
        yield Variant("gradients-not-cleared", words, mend, own, clip, summed=True)
    for row in ROWS:
        yield from _row(row, reference, clip)
    yield from _others(reference, clip)


def _clips(own: type[Any], clip: Clip) -> Iterator[Variant]:
    if clip.kind == "none":
        return
    mend = _CLIPPERS[clip.kind].format(bound=f"{clip.bound:.6g}")
    names = {
        "none": "clip-missing",
        "value": "clip-norm",
        "group": "clip-per-group",
        "tensor": "clip-per-tensor",
        "global": "clip-norm",
    }
    for kind, cause in names.items():
        if kind == clip.kind:
            continue
        for added in (0.0, clip.added):
            other = Clip(kind, clip.bound, added)  # type: ignore[arg-type]
            yield Variant(cause, f"{other}, in torch {clip}", mend, own, other)


_CLIPPERS = {
    "value": "nn.utils.clip_grad_value_(network.parameters(), {bound})",
    "global": "nn.utils.clip_grad_norm_(network.parameters(), {bound})",
    "group": "nn.utils.clip_grad_norm_(group, {bound}) for each group",
    "tensor": "grad_clip=nn.ClipGradByNorm({bound})",
}


def _row(row: Row, reference: Reference, clip: Clip) -> Iterator[Variant]:
    owns = [options[row.option] for options in reference.groups if row.option in options]
    if not owns:
        return
    for value in row.values:
        made = value(owns[0]) if callable(value) else value
        if all(made == own for own in owns):
            continue
        yield Variant(
            row.cause,
            f"{row.option} is {made!r}, torch's {owns[0]!r}",
            row.mend.format(wanted=owns[0]),
            reference.kind,
            clip,
            _changing(row.option, made),
        )


def _changing(option: str, value: Any) -> Callable[[Options], Options]:
    return lambda options: {**options, option: value} if option in options else options


def _others(reference: Reference, clip: Clip) -> Iterator[Variant]:
    own = reference.kind
    name = NAMES.get(own.__name__, own.__name__)
    if own is torch.optim.RMSprop:
        words = "epsilon stands inside of the root, in torch outside"
        mend = "epsilon=torch's squared, where the gradients allow it; else a rule of one's own"
        for rho, eps in ((None, None), (0.95, 1e-6), (None, 1e-6), (0.95, None)):
            change = _paddle_rmsprop(rho, eps)
            cause = "optimizer-defaults" if rho or eps else "epsilon-placement"
            yield Variant(cause, words, mend, PaddleRMSprop, clip, change)
    for other, options in OTHERS:
        kind = getattr(torch.optim, other)
        if kind is not own:
            words = f"the updates are those of {NAMES.get(other, other)}, torch has {own.__name__}"
            mend = f"paddle.optimizer.{name}(…)"
            change = _translated(kind, options)
            yield Variant("optimizer-different", words, mend, kind, clip, change)


def _paddle_rmsprop(rho: float | None, eps: float | None) -> Callable[[Options], Options]:
    return lambda options: {
        "alpha": rho or options["alpha"],
        "eps": eps or options["eps"],
        "weight_decay": options["weight_decay"],
        "momentum": options["momentum"],
    }


def _translated(kind: type[Any], more: Options) -> Callable[[Options], Options]:
    plain = kind([torch.zeros(1, requires_grad=True)], lr=1.0).defaults
    defaults = {k: v for k, v in plain.items() if k != "lr"}

    def change(options: Options) -> Options:
        alike = "betas" in options and "betas" in defaults
        shared = ("weight_decay", "betas", "eps") if alike else ("weight_decay",)
        kept = {k: options[k] for k in shared if k in options and k in defaults}
        return {**defaults, **kept, **more}

    return change
