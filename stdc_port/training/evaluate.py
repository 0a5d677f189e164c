"""Evaluation of a Paddle segmentation network on a set, whole or in parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from converters import InputError
from converters.errors import indented
from stdc_port.training.augmentation import Normalisation
from stdc_port.training.cityscapes import DamagedPairError, Pair, read_pair
from stdc_port.training.inference import Scales, predict, scales_of
from stdc_port.training.labels import NUM_CLASSES
from stdc_port.training.metrics import Evaluation, confusion
from stdc_port.training.parallel import Processes

_AHEAD = 2
_SHOWN = 20


def part_of(pairs: Sequence[Pair], part: int, parts: int) -> tuple[Pair, ...]:
    """Every `parts`-th pair, from number `part` on, which counts from 0.

    The evaluations of all parts add up to that of the whole, exactly.

    Raises:
        InputError: there is no such part, or nothing in it.
    """
    if not 0 <= part < parts:
        raise InputError(f"part {part + 1} of {parts}: parts count from 1 to {parts}")
    if not pairs[part::parts]:
        raise InputError(f"part {part + 1} of {parts} holds none of {len(pairs)} pictures")
    return tuple(pairs[part::parts])


def evaluate(
    network: Any,
    pairs: Sequence[Pair],
    *,
    scale: Scales,
    normalisation: Normalisation,
    flip: bool = False,
    advance: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Compare the predictions of a network in evaluation mode with the labels of a set.

    Every file is read once, ahead of the network, and checked as it is read.

    Args:
        network: in evaluation mode.
        pairs: the set, or a part of it.
        scale: one or several, see `predict`.
        normalisation: that of the network's training.
        flip: also look at mirrored pictures.
        advance: told each name.

    Raises:
        InputError: a file is unreadable or its labels are wrong; all of them are listed.
    """
    matrix = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
    problems: list[str] = []
    for pair, reading in _read_ahead(pairs):
        try:
            image, labels = reading.result()
        except DamagedPairError as error:
            problems += error.problems
            continue
        finally:
            advance(pair.name)
        if not problems:  # otherwise nothing is left to do but to find the others
            predicted = predict(network, image, scale=scale, normalisation=normalisation, flip=flip)
            matrix += confusion(labels, predicted, NUM_CLASSES)
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        lines = [f"{len(problems)} problems with the data set", *problems[:_SHOWN], *more]
        raise InputError(*indented(lines))
    return Evaluation(matrix, len(pairs), scales_of(scale), flip=flip)


def evaluate_together(
    processes: Processes,
    network: Any,
    pairs: Sequence[Pair],
    *,
    scale: Scales,
    normalisation: Normalisation,
    advance: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Evaluate a set by several processes: each looks at every so many-th picture, once.

    The counts are whole numbers, so that all get the very evaluation that one would have got.

    Args:
        processes: all of which call this.
        network: in evaluation mode, with the same weights in all.
        pairs: the whole set.
        scale: as for `evaluate`.
        normalisation: as for `evaluate`.
        advance: told each name; called equally often in all, so that it may ask the others.

    Raises:
        InputError: as `evaluate`, of this process's part.
        ElsewhereError: another process failed.
    """
    own = pairs[processes.rank :: processes.count]
    result = evaluate(network, own, scale=scale, normalisation=normalisation, advance=advance)
    if len(own) < len(pairs[:: processes.count]):
        advance("")
    counted = processes.gather([result.matrix.tolist(), result.images])
    matrix = np.sum([np.array(found, np.int64) for found, _ in counted], axis=0)
    return replace(result, matrix=matrix, images=sum(images for _, images in counted))


Reading = Future[tuple[Image.Image, NDArray[np.uint8]]]


def _read_ahead(pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Reading]]:
    """Yield each pair with its reading, which a thread began before it was asked for."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[tuple[Pair, Reading]] = deque()
        try:
            for pair in pairs:
                waiting.append((pair, pool.submit(read_pair, pair)))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for _, reading in waiting:
                reading.cancel()
