"""The operations that a training step spends most of its time in, in torch and in Paddle."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as paddle_functional
import torch
import torch.nn.functional as torch_functional

ROUNDS = 5
BATCH, CLASSES, SIZE = 4, 19, (256, 512)
BILINEAR = {"size": SIZE, "mode": "bilinear", "align_corners": True}


@dataclass(frozen=True)
class Operation:
    """An operation on what either framework calls a tensor.

    Attributes:
        name: of it, with its size.
        shapes: of its inputs, which have gradients.
        run: given the functional module and the inputs; gives a tensor.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    run: Callable[..., Any]


def convolution(inside: int, outside: int, kernel: int, size: tuple[int, int]) -> Operation:
    """A convolution that keeps the size of its maps."""
    return Operation(
        f"convolution {kernel}×{kernel}, {inside} → {outside} at {size[0]}×{size[1]}",
        ((BATCH, inside, *size), (outside, inside, kernel, kernel)),
        lambda library, x, weight: library.conv2d(x, weight, padding=kernel // 2),
    )


def resize(size: tuple[int, int]) -> Operation:
    """The enlargement of class maps to the size of the labels."""
    return Operation(
        f"bilinear resize from {size[0]}×{size[1]}",
        ((BATCH, CLASSES, *size),),
        lambda library, x: library.interpolate(x, **BILINEAR),
    )


def cross_entropy(library: Any, logits: Any) -> Any:
    """The loss of every pixel, before its hard ones are picked."""
    labels = np.random.default_rng(1).integers(0, CLASSES, (BATCH, *SIZE))
    if library is torch_functional:
        return library.cross_entropy(logits, torch.from_numpy(labels), reduction="none")
    return library.cross_entropy(logits, paddle.to_tensor(labels), reduction="none", axis=1)


def ordered(library: Any, values: Any) -> Any:
    """The losses, the largest first."""
    found = values.sort(descending=True)
    return found.values if library is torch_functional else found


OPERATIONS = (
    convolution(256, 256, 3, (32, 64)),
    convolution(128, 64, 3, (32, 64)),
    convolution(384, 256, 1, (32, 64)),
    resize((32, 64)),
    resize((8, 16)),
    Operation("cross-entropy a pixel", ((BATCH, CLASSES, *SIZE),), cross_entropy),
    Operation("sort", ((BATCH * SIZE[0] * SIZE[1],),), ordered),
)


def rows() -> Iterator[str]:
    """Yield the table's lines; the threads are the caller's affair."""
    yield (
        "| operation | forward ms, torch | Paddle | times | backward ms, torch | Paddle | times |"
    )
    yield "|---|---|---|---|---|---|---|"
    for operation in OPERATIONS:
        theirs, ours = milliseconds(operation)
        cells = (f"{a:.1f} | {b:.1f} | {b / a:.1f}" for a, b in zip(theirs, ours, strict=True))
        yield f"| {operation.name} | {' | '.join(cells)} |"


def milliseconds(operation: Operation) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return forward and backward, of torch and of Paddle, taken in turn."""
    random = np.random.default_rng(0)
    arrays = [random.normal(size=shape).astype(np.float32) for shape in operation.shapes]
    sides = (
        (torch_functional, [torch.from_numpy(a).requires_grad_() for a in arrays]),
        (paddle_functional, [paddle.to_tensor(a, stop_gradient=False) for a in arrays]),
    )
    taken: tuple[list[tuple[float, float]], ...] = ([], [])
    for _ in range(ROUNDS + 1):
        for (library, inputs), times in zip(sides, taken, strict=True):
            times.append(_once(operation, library, inputs))
    theirs, ours = (
        tuple(1000 * statistics.median(column) for column in zip(*times[1:], strict=True))
        for times in taken
    )
    return theirs, ours


def _once(operation: Operation, library: Any, inputs: list[Any]) -> tuple[float, float]:
    began = time.process_time()
    total = operation.run(library, *inputs).sum()
    middle = time.process_time()
    total.backward()
    return middle - began, time.process_time() - middle
