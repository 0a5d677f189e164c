"""Optimizers, parameter groups, clipping."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
import torch

from parity.traps.tools import gap, normal
from parity.traps.trap import Measured, several, trap

if TYPE_CHECKING:
    from collections.abc import Callable

TO, PO = torch.optim, paddle.optimizer


def _parameter(values: np.ndarray, **attributes: Any) -> Any:
    attribute = paddle.ParamAttr(initializer=paddle.nn.initializer.Assign(values), **attributes)
    return paddle.create_parameter(list(values.shape), "float32", attr=attribute)


def _trained(
    ours: Callable[[Any], Any], theirs: Callable[[Any], Any], *, scale: float = 1.0, steps: int = 20
) -> float:
    """Train six numbers in both frameworks on equal gradients; return how far they part."""
    start = normal(6)
    one, other = torch.nn.Parameter(torch.from_numpy(start.copy())), _parameter(start)
    optimizers = ours([one]), theirs([other])
    for step in range(steps):
        slope = normal(6, seed=step + 1) * scale
        one.grad = torch.from_numpy(slope)
        (other * paddle.to_tensor(slope)).sum().backward()
        for optimizer in optimizers:
            optimizer.step()
        optimizers[1].clear_grad()
    return gap(one, other)


@trap(
    47,
    "optimizer-defaults",
    torch="0.99 and √v + 1e-8; 0.9; 1e-10",
    paddle="0.95 and √(v + 1e-6); 0.95; 1e-6. Adam, AdamW, Momentum agree",
    mend="rho, epsilon; RMSprop's epsilon squared",
)
def optimizer_defaults() -> Measured:
    """RMSprop, Adadelta, Adagrad."""

    def both(
        ours: Any, theirs: Any, rate: float, scale: float, **mend: float
    ) -> tuple[float, float]:
        return (
            _trained(partial(ours, lr=rate), partial(_made, theirs, rate), scale=scale),
            _trained(partial(ours, lr=rate), partial(_made, theirs, rate, **mend), scale=scale),
        )

    return several(
        {
            "RMSprop": both(TO.RMSprop, PO.RMSProp, 0.01, 1.0, rho=0.99, epsilon=1e-16),
            "Adadelta": both(TO.Adadelta, PO.Adadelta, 1.0, 1.0, rho=0.9, epsilon=1e-6),
            "Adagrad, gradients of 1e-5": both(TO.Adagrad, PO.Adagrad, 0.1, 1e-5, epsilon=1e-10),
        }
    )


def _made(kind: Any, rate: float, parameters: Any, **options: Any) -> Any:
    return kind(rate, parameters=parameters, **options)


@trap(
    48,
    "group-rate",
    torch="the rate itself; one decay a group",
    paddle="a factor of the optimizer's rate; a ParamAttr's regularizer overrides its decay",
    mend="divide by the optimizer's rate; settle decay parameter by parameter",
)
def group_rate() -> Measured:
    """A group's learning rate, a parameter's regularizer."""

    def grouped(rate: float) -> Any:
        return lambda p: PO.SGD(0.1, parameters=[{"params": p, "learning_rate": rate}])

    def decayed(**attributes: Any) -> float:
        ours, theirs = (
            torch.nn.Parameter(torch.ones(3)),
            _parameter(np.ones(3, np.float32), **attributes),
        )
        ours.grad = torch.zeros(3)
        (theirs * 0.0).sum().backward()
        TO.SGD([ours], lr=0.1, weight_decay=0.5).step()
        PO.Momentum(0.1, 0.0, parameters=[theirs], weight_decay=0.5).step()
        return gap(ours, theirs)

    regularizer = paddle.regularizer.L2Decay(0.0)
    return several(
        {
            "rate": (
                _trained(partial(TO.SGD, lr=0.01), grouped(0.01)),
                _trained(partial(TO.SGD, lr=0.01), grouped(0.01 / 0.1)),
            ),
            "decay": (decayed(regularizer=regularizer), decayed()),
        }
    )


@trap(
    49,
    "decay-filter-names",
    torch="the module's path, bn.weight",
    paddle="batch_norm2d_0.w_0, so a filter for 'bn' or 'bias' lets all through",
    mend="map names by identity",
    bound=0.0,
)
def decay_filter_names() -> Measured:
    """Names that a decay filter sees."""
    network = paddle.nn.Sequential()
    network.add_sublayer("conv", paddle.nn.Conv2D(3, 4, 3))
    network.add_sublayer("bn", paddle.nn.BatchNorm2D(4))
    paths = {p.name: path for path, p in network.named_parameters() if not p.stop_gradient}

    def decays(name: str) -> bool:
        return not any(word in name for word in ("bn.", "bias"))

    right = {name for name, path in paths.items() if decays(path)}
    seen = {name for name in paths if decays(name)}
    mapped = {name for name in paths if decays(paths[name])}
    return Measured(len(seen ^ right), len(mapped ^ right), "of four tensors, decayed wrongly")


@trap(
    63,
    "clip-per-group",
    torch="clip_grad_norm_ knows no groups",
    paddle="grad_clip=ClipGradByGlobalNorm takes each group's norm alone",
    mend="paddle.nn.utils.clip_grad_norm_ before the step",
)
def clip_per_group() -> Measured:
    """Clipping by the global norm, with parameter groups."""
    slopes = [normal(4), normal(3, seed=1)]
    ours = [torch.nn.Parameter(torch.zeros(len(s))) for s in slopes]
    for one, slope in zip(ours, slopes, strict=True):
        one.grad = torch.from_numpy(slope.copy())
    torch.nn.utils.clip_grad_norm_(ours, 1.0)
    TO.SGD(ours, lr=1.0).step()

    def error(clip: Any, **options: Any) -> float:
        theirs = [_parameter(np.zeros(len(s), np.float32)) for s in slopes]
        groups = [{"params": [one]} for one in theirs]
        optimizer = PO.SGD(1.0, parameters=groups, **options)
        pairs = zip(theirs, slopes, strict=True)
        sum((one * paddle.to_tensor(slope)).sum() for one, slope in pairs).backward()
        clip(theirs)
        optimizer.step()
        return max(gap(one, other) for one, other in zip(ours, theirs, strict=True))

    by_optimizer = paddle.nn.ClipGradByGlobalNorm(1.0)
    return Measured(
        error(lambda _: None, grad_clip=by_optimizer),
        error(lambda theirs: paddle.nn.utils.clip_grad_norm_(theirs, 1.0)),
        "parameters after a step of SGD",
    )


@trap(
    50,
    "clip-norm",
    torch="clip_grad_norm_ takes the norm of all together",
    paddle="ClipGradByNorm takes each tensor's own",
    mend="ClipGradByGlobalNorm",
)
def clip_norm() -> Measured:
    """Clipping gradients by their norm."""
    slopes = [normal(4), normal(3, seed=1) * 5]
    ours = [torch.nn.Parameter(torch.zeros(len(s))) for s in slopes]
    for one, slope in zip(ours, slopes, strict=True):
        one.grad = torch.from_numpy(slope.copy())
    torch.nn.utils.clip_grad_norm_(ours, 1.0)

    def error(clip: Any) -> float:
        pairs = [(paddle.zeros([len(s)]), paddle.to_tensor(s)) for s in slopes]
        clipped = [slope for _, slope in clip(pairs)]
        return max(gap(one.grad, other) for one, other in zip(ours, clipped, strict=True))

    clips = paddle.nn
    return Measured(error(clips.ClipGradByNorm(1.0)), error(clips.ClipGradByGlobalNorm(1.0)))
