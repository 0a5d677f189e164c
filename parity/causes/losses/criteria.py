"""What a port's criteria may do otherwise than torch's: cross-entropies and distances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from parity.causes.losses.calls import Call

#: The cause, what paddle does, the mend, and what the call comes to so.
Otherwise = tuple[str, str, str, "Callable[[Call], Any]"]
Row = Callable[["Call"], Iterator[Otherwise]]


def weights(call: Call) -> Iterator[Otherwise]:
    """Weights of the classes that are forgotten, or divided by something else."""
    given = call.named
    if given.get("weight") is not None:
        yield (
            "class-weights-dropped",
            "it has no weights of the classes",
            f"F.{call.name}(…, weight=weights)",
            lambda call: call.run(weight=None),
        )
        if given["reduction"] == "mean":
            yield (
                "class-weights-mean",
                "the weighted sum is divided by the number of labels, not by their weights",
                "divide by the sum of the labels' weights",
                _divided_by_count,
            )
        if given.get("label_smoothing"):
            yield (
                "label-smoothing-weights",
                "weights multiply each label's smoothed loss, not each class's part of it",
                "weigh the classes' parts: a loss of one's own",
                _weighted_after_smoothing,
            )
    if given.get("pos_weight") is not None:
        yield (
            "class-weights-dropped",
            "it has no weight of the positives",
            f"F.{call.name}(…, pos_weight=weight)",
            lambda call: call.run(pos_weight=None),
        )


def _valid(call: Call) -> torch.Tensor:
    valid: torch.Tensor = call.named["target"] != call.named["ignore_index"]
    return valid


def _divided_by_count(call: Call) -> torch.Tensor:
    total: torch.Tensor = call.run(reduction="sum")
    return total / _valid(call).sum()


def _weighted_after_smoothing(call: Call) -> torch.Tensor:
    given = call.named
    plain = call.run(weight=None, reduction="none")
    weights = _smoothed_weights(given["weight"], call)
    return (plain * weights).sum() / weights.sum()


def _smoothed_weights(weight: torch.Tensor, call: Call) -> torch.Tensor:
    given, share = call.named, call.named["label_smoothing"]
    valid = _valid(call)
    own = weight[given["target"].where(valid, torch.zeros_like(given["target"]))]
    return ((1 - share) * own + share * weight.mean()) * valid


def smoothing(call: Call) -> Iterator[Otherwise]:
    """Labels that are not smoothed."""
    share = call.named.get("label_smoothing")
    if share:
        yield (
            "label-smoothing-dropped",
            "its labels are not smoothed",
            f"F.cross_entropy(…, label_smoothing={share!r})",
            lambda call: call.run(label_smoothing=0.0),
        )


def ignored(call: Call) -> Iterator[Otherwise]:
    """Ignored labels that count."""
    given = call.named
    index = given.get("ignore_index")
    if index is None or given["target"].is_floating_point() or bool(_valid(call).all()):
        return
    mend = (
        f"F.cross_entropy(…, ignore_index={index if index >= 0 else 255}), of labels that have it"
    )
    if given["reduction"] == "mean":
        yield (
            "ignore-index",
            "ignored labels count in the mean, as they do in paddle if their index is negative",
            mend,
            lambda call: call.run(reduction="sum") / call.named["target"].numel(),
        )
    classes = given["input"].shape[1 if given["input"].ndim > 1 else 0]
    for label in (classes - 1, 0):
        yield (
            "ignore-index",
            f"labels {index} are not ignored but taken for class {label}",
            mend,
            partial(_taken_for, label=label),
        )


def _taken_for(call: Call, *, label: int) -> Any:
    target = call.named["target"]
    return call.run(target=target.where(_valid(call), torch.full_like(target, label)))


def reduction(call: Call) -> Iterator[Otherwise]:
    """Another reduction."""
    own = call.named.get("reduction")
    if own not in ("mean", "sum", "batchmean"):
        return
    for other in ("mean", "sum", "batchmean"):
        if other != own and (other != "batchmean" or call.name == "kl_div"):
            yield (
                "loss-reduction",
                f"it reduces by {other}, torch's by {own}",
                f"F.{call.name}(…, reduction={own!r})",
                partial(_reduced, by=other),
            )
    if own == "mean" and call.named["input"].ndim > 2:
        yield (
            "loss-reduction",
            "it sums over each sample and takes the mean over samples",
            f"F.{call.name}(…, reduction='mean')",
            lambda call: call.run(reduction="sum") / call.named["input"].shape[0],
        )


def _reduced(call: Call, by: str) -> Any:
    return call.run(reduction=by)


def probabilities(call: Call) -> Iterator[Otherwise]:
    """Probabilities where logits are expected."""
    squash = torch.sigmoid if "binary" in call.name else partial(torch.softmax, dim=1)
    if call.name == "nll_loss" or (squash is not torch.sigmoid and call.named["input"].ndim < 2):
        return
    yield (
        "probabilities-as-logits",
        "it is given probabilities where it takes logits",
        f"F.{call.name}(logits, …), without softmax or sigmoid before it",
        lambda call: call.run(input=squash(call.named["input"])),
    )


def as_probabilities(_: Call) -> Iterator[Otherwise]:
    """Logits where probabilities are expected."""
    yield (
        "logits-as-probabilities",
        "it takes what it is given for logits",
        "F.binary_cross_entropy(probabilities, …)",
        lambda call: F.binary_cross_entropy_with_logits(
            call.named["input"], call.named["target"], reduction=call.named["reduction"]
        ),
    )


def smooth_l1(call: Call) -> Iterator[Otherwise]:
    """Huber's delta for smooth L1's beta."""
    beta = call.named["beta"]
    if beta not in (0, 1):
        yield (
            "smooth-l1-delta",
            f"it is {beta} times torch's: paddle's delta is Huber's",
            f"F.smooth_l1_loss(…, delta={beta}) / {beta}",
            lambda call: call.run() * call.named["beta"],
        )
        yield (
            "smooth-l1-delta",
            f"its delta is 1, torch's beta {beta}",
            f"F.smooth_l1_loss(…, delta={beta}) / {beta}",
            lambda call: call.run(beta=1.0),
        )
