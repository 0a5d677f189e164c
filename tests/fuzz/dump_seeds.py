"""Whole dumps of a small network, torch's and paddle's, from which the broken ones are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from seeds import Seeds

CHECKS = ("forward", "backward")


def seeds(folder: Path) -> Seeds:
    """Return the bytes of torch's dump and of paddle's, which has a wrong epsilon.

    The second is made on the first: it holds the errors of each layer's own, and their maps.
    """
    from parity.carry import Weights
    from parity.dump import write_dump

    ours, theirs = networks()
    pixels = np.random.default_rng(3).random((2, 3, 6, 5), np.float32)
    inputs = {"x": pixels, "scale": np.float32(0.5)}
    paths = {"torch": folder / "torch.npz", "paddle": folder / "paddle.npz"}
    write_dump(ours, inputs, paths["torch"], checks=CHECKS)
    held = Weights.of(ours)
    write_dump(theirs, inputs, paths["paddle"], weights=held, on=paths["torch"], checks=CHECKS)
    return {name: path.read_bytes() for name, path in paths.items()}


def networks() -> tuple[Any, Any]:
    """Return a convolution, a batch norm and a Linear that is called twice, in both frameworks."""
    import paddle
    import torch

    from parity.inputs import seed_weights

    class Ours(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.BatchNorm2d(2))
            self.head = torch.nn.Linear(3, 3)

        def forward(self, x: Any, scale: Any) -> Any:
            return {"out": self.head(self.head(self.stem(x) * scale))}

    class Theirs(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            norm = paddle.nn.BatchNorm2D(2, epsilon=1e-3)
            self.stem = paddle.nn.Sequential(paddle.nn.Conv2D(3, 2, 3), norm)
            self.head = paddle.nn.Linear(3, 3)

        def forward(self, x: Any, scale: Any) -> Any:
            return {"out": self.head(self.head(self.stem(x) * scale))}

    ours = Ours()
    seed_weights(ours, 1)
    return ours, Theirs()
