"""Batches as a function of the iteration, prepared ahead by threads.

Threads, not processes: decoders, resize and numpy let go of the interpreter, which is held for
about a tenth of a picture's time, as estimated from a profile; and a forked worker would hang once
torch has run in its parent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from converters.errors import InputError
from stdc_port.training.augmentation import Augmentation, Floats, Normalisation, sample_rng
from stdc_port.training.cityscapes import Pair, train_ids
from stdc_port.training.decoded import PairReader
from stdc_port.training.parallel import ALONE, Processes
from stdc_port.training.recipe import Recipe

Sample = tuple[Floats, NDArray[np.uint8]]
_AHEAD = 3


@dataclass(frozen=True)
class Batch:
    """Pictures (N, 3, H, W) float32 and train ids (N, H, W) int64."""

    images: Floats
    labels: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """Which samples an iteration takes; an unfinished batch at an epoch's end is left out.

    Attributes:
        samples: size of the set.
        batch_size: samples an iteration, over all processes.
        seed: of order and augmentation.
        processes: that divide every batch among them.
    """

    samples: int
    batch_size: int
    seed: int
    processes: Processes = ALONE

    def __post_init__(self) -> None:
        """Refuse a set that is smaller than a batch.

        Raises:
            ValueError: saying both numbers.
        """
        if self.samples < self.batch_size:
            raise ValueError(
                f"a batch of {self.batch_size} needs as many pictures, found {self.samples}"
            )

    def samples_of(self, iteration: int) -> list[tuple[int, int]]:
        """(epoch, index) of this process's samples of an iteration, which counts from 0."""
        epoch, batch = divmod(iteration, self.samples // self.batch_size)
        order = np.random.default_rng([self.seed, epoch]).permutation(self.samples)
        start = batch * self.batch_size
        whole = order[start : start + self.batch_size]
        return [(epoch, int(index)) for index in whole[self.processes.portion(self.batch_size)]]


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """The pictures, and what is done to them."""

    pairs: Sequence[Pair]
    plan: BatchPlan
    augmentation: Augmentation
    normalisation: Normalisation
    reader: PairReader = field(default_factory=PairReader)

    def batch(self, iteration: int) -> Batch:
        """The batch of an iteration: the same one whenever it is asked for."""
        return _stacked([self._sample(*sample) for sample in self.plan.samples_of(iteration)])

    def names_of(self, iteration: int) -> list[str]:
        """Names of the pictures of an iteration, in the batch's order."""
        return [self.pairs[index].name for _, index in self.plan.samples_of(iteration)]

    def identity(self) -> str:
        """How many pictures it has, and a digest of their names in order."""
        names = "\n".join(pair.name for pair in self.pairs)
        return f"{len(self.pairs)} pictures, {sha256(names.encode()).hexdigest()[:16]}"

    def batches(self, first: int, last: int, *, threads: int) -> Iterator[Batch]:
        """The batches of iterations first … last − 1, prepared ahead, each by all threads."""
        with ThreadPoolExecutor(max(threads, 1)) as readers, ThreadPoolExecutor(1) as stacker:
            waiting: deque[Future[Batch]] = deque()
            try:
                for iteration in range(first, last):
                    while len(waiting) < _AHEAD and iteration + len(waiting) < last:
                        samples = self.plan.samples_of(iteration + len(waiting))
                        begun = [readers.submit(self._sample, *sample) for sample in samples]
                        waiting.append(stacker.submit(_gathered, begun))
                    yield waiting.popleft().result()
            finally:
                readers.shutdown(cancel_futures=True)

    def _sample(self, epoch: int, index: int) -> Sample:
        pair = self.pairs[index]
        rng = sample_rng(self.plan.seed, epoch, index)
        image, values = self.reader.read(pair)
        image, values = self.augmentation.apply(image, values, rng)
        return self.normalisation.apply(image), train_ids(pair, values)


def _gathered(samples: Sequence[Future[Sample]]) -> Batch:
    return _stacked([sample.result() for sample in samples])


def _stacked(samples: Sequence[Sample]) -> Batch:
    images, labels = zip(*samples, strict=True)
    return Batch(np.stack(images), np.stack(labels).astype(np.int64))


def training_set(
    recipe: Recipe, pairs: Sequence[Pair], processes: Processes = ALONE
) -> TrainingSet:
    """The batches that a recipe makes of some pairs, or this process's part of each.

    Raises:
        InputError: the set is smaller than a batch, or there is no room to keep it decoded.
    """
    train, data = recipe.train, recipe.data
    try:
        plan = BatchPlan(
            samples=len(pairs), batch_size=train.batch_size, seed=train.seed, processes=processes
        )
    except ValueError as error:
        raise InputError(f"{error}; set train.batch_size lower") from error
    reader = data.reader()
    reader.require_room(pairs)
    return TrainingSet(
        pairs=pairs,
        plan=plan,
        augmentation=data.augmentation(),
        normalisation=data.normalisation(),
        reader=reader,
    )
