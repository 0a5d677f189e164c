"""A small network in both frameworks, trained as its parts say: each part can be got wrong."""

from dataclasses import dataclass, replace

import numpy as np
import paddle
import torch
from paddle import nn as paddle_nn
from torch import nn

from parity import check_parity
from parity.training import Training

STEPS = 5
RANDOM = np.random.default_rng(3)
IMAGES = [RANDOM.standard_normal((4, 3, 6, 6)).astype("float32") for _ in range(2)]
LABELS = [RANDOM.integers(0, 4, 4) for _ in range(2)]


class TorchNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.bn = nn.BatchNorm2d(6)
        self.hidden = nn.Linear(6, 8)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(torch.tanh(self.hidden(torch.relu(self.bn(self.conv(x))).mean((2, 3)))))


class PaddleNet(paddle_nn.Layer):
    def __init__(self, **norm) -> None:
        super().__init__()
        self.conv = paddle_nn.Conv2D(3, 6, 3)
        self.bn = paddle_nn.BatchNorm2D(6, **norm)
        self.hidden = paddle_nn.Linear(6, 8)
        self.head = paddle_nn.Linear(8, 4)

    def forward(self, x):
        mixed = paddle.nn.functional.relu(self.bn(self.conv(x))).mean((2, 3))
        return self.head(paddle.tanh(self.hidden(mixed)))


@dataclass(frozen=True)
class Recipe:
    """A training, for both frameworks; `kind` is paddle's name of the optimizer."""

    kind: str = "Momentum"
    rate: float = 0.02
    heads: float = 10.0
    decay: float = 0.05
    norm_decay: float = 0.0
    momentum: float = 0.9
    nesterov: bool = False
    dampening: float = 0.0
    beta2: float = 0.95
    epsilon: float = 1e-8
    rho: float = 0.9
    clip: str = ""
    bound: float = 0.05
    left_out: tuple[str, ...] = ()
    summed: bool = False
    noise: float = 0.0

    def factor(self, step: int) -> float:
        return 0.8**step

    def but(self, **changes) -> "Recipe":
        return replace(self, **changes)


def scheduled(recipe: Recipe, factor) -> Recipe:
    kind = type("Scheduled", (Recipe,), {"factor": lambda _, step: factor(step)})
    return kind(**vars(recipe))


def groups(recipe: Recipe, network) -> list[dict]:
    found: dict[tuple[float, float], list] = {}
    for name, p in network.named_parameters():
        if name.startswith(recipe.left_out or "-"):
            continue
        key = (
            recipe.heads if name.startswith("head.") else 1.0,
            recipe.decay if p.ndim > 1 else recipe.norm_decay,
        )
        found.setdefault(key, []).append(p)
    return [{"params": ps, "factor": f, "weight_decay": d} for (f, d), ps in found.items()]


def clipping(recipe: Recipe, clips, parameters, plain):
    """Wrap an optimizer's step."""

    def step() -> None:
        present = [p for p in parameters if p.grad is not None]
        if recipe.clip == "norm":
            clips.clip_grad_norm_(present, recipe.bound)
        if recipe.clip == "value":
            clips.clip_grad_value_(present, recipe.bound)
        if recipe.clip == "tensor":
            for p in present:
                clips.clip_grad_norm_([p], recipe.bound)
        plain()

    return step


def torch_optimizer(recipe: Recipe):
    def make(network, _):
        parts = [
            {
                "params": g["params"],
                "weight_decay": g["weight_decay"],
                "lr": recipe.rate * g["factor"],
            }
            for g in groups(recipe, network)
        ]
        made = {
            "Momentum": lambda: torch.optim.SGD(
                parts,
                lr=recipe.rate,
                momentum=recipe.momentum,
                nesterov=recipe.nesterov,
                dampening=recipe.dampening,
            ),
            "AdamW": lambda: torch.optim.AdamW(
                parts, lr=recipe.rate, betas=(0.9, recipe.beta2), eps=recipe.epsilon
            ),
            "RMSProp": lambda: torch.optim.RMSprop(
                parts, lr=recipe.rate, alpha=recipe.rho, eps=recipe.epsilon
            ),
        }[recipe.kind]()
        for part in made.param_groups:
            part["start"] = part["lr"]
        parameters = list(network.parameters())
        made.step = clipping(recipe, nn.utils, parameters, made.step)
        return made

    return make


def torch_schedule(recipe: Recipe):
    def schedule(optimizer, step) -> None:
        for group in optimizer.param_groups:
            group["lr"] = group["start"] * recipe.factor(step)

    return schedule


def paddle_optimizer(recipe: Recipe):
    def make(network, _):
        parts = [
            {
                "params": g["params"],
                "weight_decay": g["weight_decay"],
                "learning_rate": g["factor"],
            }
            for g in groups(recipe, network)
            if any(not p.stop_gradient for p in g["params"])
        ]
        options = {"parameters": parts}
        made = {
            "Momentum": lambda: paddle.optimizer.Momentum(
                recipe.rate, recipe.momentum, use_nesterov=recipe.nesterov, **options
            ),
            "SGD": lambda: paddle.optimizer.SGD(recipe.rate, **options),
            "AdamW": lambda: paddle.optimizer.AdamW(
                recipe.rate, beta2=recipe.beta2, epsilon=recipe.epsilon, **options
            ),
            "Adam": lambda: paddle.optimizer.Adam(
                recipe.rate, beta2=recipe.beta2, epsilon=recipe.epsilon, **options
            ),
            "RMSProp": lambda: paddle.optimizer.RMSProp(
                recipe.rate, rho=recipe.rho, epsilon=recipe.epsilon, **options
            ),
        }[recipe.kind]()
        trained = [p for p in network.parameters() if not p.stop_gradient]
        made.step = clipping(recipe, paddle_nn.utils, trained, made.step)
        if recipe.summed:
            made.step = summing(trained, made.step)
        if recipe.noise:
            made.step = noisy(recipe.noise, trained, made.step)
        return made

    return make


def summing(parameters, plain):
    kept = {}

    def step() -> None:
        for p in parameters:
            kept[p.name] = p.grad.clone() + kept.get(p.name, 0)
            p.grad.set_value(kept[p.name])
        plain()

    return step


def noisy(size, parameters, plain):
    random = np.random.default_rng(8)

    def step() -> None:
        plain()
        for p in parameters:
            p.set_value(
                p + paddle.to_tensor(size * random.standard_normal(p.shape)).astype(p.dtype)
            )

    return step


def paddle_schedule(recipe: Recipe):
    return lambda optimizer, step: optimizer.set_lr(recipe.rate * recipe.factor(step))


def training(ours: Recipe, theirs: Recipe) -> Training:
    return Training(
        torch_loss=torch.nn.functional.cross_entropy,
        paddle_loss=paddle.nn.functional.cross_entropy,
        torch_optimizer=torch_optimizer(ours),
        paddle_optimizer=paddle_optimizer(theirs),
        torch_schedule=torch_schedule(ours),
        paddle_schedule=paddle_schedule(theirs),
        batches=list(zip(IMAGES, LABELS, strict=True)),
    )


def told(ours: Recipe, theirs: Recipe, port=None, torch_net=None):
    """Check a training, and give what is diagnosed: causes and layers."""
    torch.manual_seed(1)
    result = check_parity(
        torch_net or TorchNet(),
        port or PaddleNet(),
        IMAGES[0],
        checks=["train"],
        training=training(ours, theirs),
        steps=STEPS,
        precision="float64",
    )
    return [(one.cause, one.layer) for one in result.diagnosis], result
