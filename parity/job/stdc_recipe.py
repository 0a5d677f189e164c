"""The authors' recipe in plain torch: what Paddle's training is held against.

Written from the published code's behaviour, not from `stdc_port.training`: the two share the
numbers of a recipe and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdc_port.training.recipe import OptimizerRecipe, RateRecipe, Recipe

#: Modules that the authors train at the heads' rate, and those that no loss reaches.
HEADS = ("ffm", "conv_out", "conv_out16", "conv_out32", "conv_out_sp8")
UNUSED = ("conv_out_sp2", "conv_out_sp4", "conv_out_sp16")
CLASSIFIER = ("conv_last", "fc", "bn", "linear")


def torch_optimizer(network: Any, loss: Any, recipe: Recipe) -> Any:
    """Make the authors' SGD: ten times the rate for heads, no decay of scales, shifts and biases.

    Args:
        network: A torch STDC-Seg.
        loss: Its loss, whose fuse kernel decays like a weight.
        recipe: The numbers.
    """
    import torch

    numbers = recipe.optimizer
    groups: dict[tuple[bool, bool], list[Any]] = {}
    for path, parameter, plain in _parameters(network):
        if not _left_out(path, plain, numbers):
            head = path.split(".")[0] in HEADS
            groups.setdefault((head, plain), []).append(parameter)
    if numbers.decay_fuse_kernel:
        groups.setdefault((False, False), []).append(loss.detail.fuse_kernel)
    settings = [
        {
            "params": parameters,
            "factor": numbers.head_factor if head else 1.0,
            "weight_decay": 0.0 if plain else numbers.weight_decay,
        }
        for (head, plain), parameters in groups.items()
    ]
    return torch.optim.SGD(settings, lr=recipe.rate.base, momentum=numbers.momentum)


def _parameters(network: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield each parameter once with its path, and whether it is a scale, a shift or a bias."""
    seen: set[int] = set()
    for path, module in network.named_modules():
        norm = hasattr(module, "running_mean")
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield f"{path}.{name}", parameter, norm or name == "bias"


def _left_out(path: str, plain: bool, numbers: OptimizerRecipe) -> bool:
    top, *inner = path.split(".")
    backbone = top == "cp" and inner[0] == "backbone"
    if top in UNUSED or (backbone and inner[1] in CLASSIFIER):
        return True
    # The authors look for their own norm class, and so miss the backbone's plain ones.
    return backbone and plain and not numbers.train_backbone_norms


def set_rate(optimizer: Any, step: int, recipe: Recipe) -> None:
    """Set the learning rate of a step as the authors do before they make it."""
    rate = published_rate(step, recipe.rate, recipe.train.iterations)
    for settings in optimizer.param_groups:
        settings["lr"] = rate * settings["factor"]


def published_rate(step: int, rate: RateRecipe, iterations: int) -> float:
    """Warm up exponentially or linearly, then decay by a power of what remains."""
    warmup = 0 if rate.warmup == "none" else rate.warmup_iterations
    if step < warmup:
        if rate.warmup == "linear":
            return rate.warmup_start + (rate.base - rate.warmup_start) * step / warmup
        growth: float = (rate.base / rate.warmup_start) ** (1.0 / warmup)
        return rate.warmup_start * growth**step
    left = 1.0 - min((step - warmup) / (iterations - warmup), 1.0)
    return rate.end + (rate.base - rate.end) * float(left**rate.power)
