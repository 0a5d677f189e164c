"""What the measuring functions share: seeded values, the difference of two results."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
import torch

from parity.weights import load, transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Draw a float32 array, mean 0 and standard deviation 1."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def in_both(array: np.ndarray) -> tuple[torch.Tensor, paddle.Tensor]:
    """Give an array to both frameworks."""
    return torch.from_numpy(array.copy()), paddle.to_tensor(array)


def gap(ours: Any, theirs: Any) -> float:
    """Return the largest absolute difference; infinite where two results cannot be compared."""
    a, b = (_array(value) for value in (ours, theirs))
    if a.shape != b.shape:
        return math.inf
    a, b = a.astype(np.float64), b.astype(np.float64)
    same = np.isnan(a) & np.isnan(b)
    largest = float(np.max(np.abs(np.where(same, 0.0, a - b)), initial=0.0))
    return math.inf if math.isnan(largest) else largest


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.detach().numpy() if hasattr(value, "detach") else value)


def carry(module: torch.nn.Module, layer: Any) -> Any:
    """Give a paddle layer a torch module's weights through the converter."""
    load(layer, transfer(module, layer))
    return layer


@contextmanager
def default_dtype(name: str) -> Iterator[None]:
    """Let Paddle build layers in another precision."""
    before = paddle.get_default_dtype()
    paddle.set_default_dtype(name)
    try:
        yield
    finally:
        paddle.set_default_dtype(before)


def raises(call: Callable[[], Any]) -> bool:
    """Tell whether a call raises."""
    try:
        call()
    except Exception:  # noqa: BLE001 - whatever it is, it is loud
        return True
    return False
