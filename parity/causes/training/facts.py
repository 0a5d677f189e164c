"""What people are told of each cause: the mend as code, and where the fact is documented."""

from __future__ import annotations

from dataclasses import dataclass

from parity.causes.settings import MEASURED

_DOCS = "https://www.paddlepaddle.org.cn/documentation/docs/en/api/paddle"


@dataclass(frozen=True)
class Fact:
    """What is known of a cause, beside its evidence.

    Attributes:
        mend: What to write instead.
        source: Where it is documented.
    """

    mend: str
    source: str = MEASURED


FACTS = {
    "decay-on-norms": Fact(
        "parameters=[{'params': matrices, 'weight_decay': decay}, "
        "{'params': vectors, 'weight_decay': 0.0}]  # by ndim: names are 'linear_1.w_0'"
    ),
    "decay-added": Fact("{'params': …, 'weight_decay': 0.0}"),
    "decay-missing": Fact("paddle.optimizer.…(…, weight_decay={wanted})"),
    "decay-different": Fact("paddle.optimizer.…(…, weight_decay={wanted})"),
    "group-learning-rate": Fact("{'params': …, 'learning_rate': {ratio}}  # a factor in paddle"),
    "learning-rate": Fact("learning_rate={rate}", f"{_DOCS}/optimizer/Optimizer_en.html"),
    "step-order": Fact(
        "optimizer.step(); scheduler.step()  # in this order",
        f"{_DOCS}/optimizer/lr/LRScheduler_en.html",
    ),
    "warm-up": Fact(
        "paddle.optimizer.lr.LambdaDecay({rate}, lambda step: [{factors}][step])  "
        "# torch's factors; LinearWarmup is linear"
    ),
    "schedule-different": Fact(
        "paddle.optimizer.lr.LambdaDecay({rate}, lambda step: [{factors}][step])  "
        "# torch's factors so far"
    ),
    "parameters-untrained": Fact(
        "parameters=network.parameters()  # with these, and stop_gradient False",
        f"{_DOCS}/optimizer/Optimizer_en.html",
    ),
    "parameters-unfrozen": Fact(
        "parameters=[p for name, p in network.named_parameters() if not name.startswith({path!r})]",
        f"{_DOCS}/optimizer/Optimizer_en.html",
    ),
    "nesterov": Fact("", f"{_DOCS}/optimizer/Momentum_en.html"),
    "gradients-not-cleared": Fact("", f"{_DOCS}/optimizer/Optimizer_en.html"),
}
