"""The same dropout masks in both frameworks: their generators never draw the same numbers.

The n-th dropout of a run gets the n-th mask, in either framework.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

if TYPE_CHECKING:
    Draw = Callable[[str, Sequence[int], float], np.ndarray]


@contextmanager
def same_masks(seed: int = 0) -> Iterator[None]:
    """Let every dropout in training mode take its mask from one seeded sequence."""
    count: Counter[str] = Counter()

    def draw(framework: str, shape: Sequence[int], rate: float) -> np.ndarray:
        random = np.random.default_rng([seed, count[framework], *shape])
        count[framework] += 1
        return (random.random(tuple(shape)) >= rate).astype(np.float64)

    with ExitStack() as patches:
        for module, name, function in (*_torch(draw), *_paddle(draw)):
            patches.enter_context(mock.patch.object(module, name, function))
        yield


def _torch(draw: Draw) -> Iterator[tuple[Any, str, Any]]:
    import torch
    from torch.nn import functional

    def scaled(x: Any, shape: Sequence[int], rate: float) -> Any:
        mask = torch.from_numpy(draw("torch", shape, rate)).to(x)
        return x * mask * (1 / (1 - rate))

    def dropout(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        del inplace  # the result is the same
        return scaled(x, x.shape, p) if training and p else x

    def whole_channels(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        del inplace
        shape = [*x.shape[:2], *[1] * (x.ndim - 2)]
        return scaled(x, shape, p) if training and p else x

    yield functional, "dropout", dropout
    for axes in (1, 2, 3):
        yield functional, f"dropout{axes}d", whole_channels


def _paddle(draw: Draw) -> Iterator[tuple[Any, str, Any]]:
    import paddle
    from paddle.nn import functional
    from paddle.nn.functional import common

    real = common.dropout

    def dropout(
        x: Any,
        p: float = 0.5,
        axis: Any = None,
        training: bool = True,
        mode: str = "upscale_in_train",
        **options: Any,
    ) -> Any:
        if not (training and p):
            # By name: the order of these differs between Paddle's versions.
            return real(x, p, axis=axis, training=training, mode=mode, **options)
        axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
        shape = [size if place in axes else 1 for place, size in enumerate(x.shape)]
        kept = x * paddle.to_tensor(draw("paddle", shape, p)).astype(x.dtype)
        return kept * (1 / (1 - p)) if mode == "upscale_in_train" else kept

    # Its dropout2d and dropout3d call the one in their own module.
    yield functional, "dropout", dropout
    yield common, "dropout", dropout
