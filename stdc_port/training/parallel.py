"""The processes that train together, one a device; everything else asks here.

Whoever is alone is told so without Paddle's distributed part being touched. Two things are ever
said between processes: small plain values, which everybody hears of everybody, and sums of
tensors. A process that fails says so in place of its next value, so that all end with its reason;
hence whatever can fail in one process alone is followed by a `gather` before the next `add`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from converters.errors import InputError


class ElsewhereError(InputError):
    """Another process failed, and this one ends with it."""


class Processes:
    """This process among those that train together; the base class is one that is alone.

    Attributes:
        rank: its number, from 0.
        count: of all.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files and talks to people."""
        return self.rank == 0

    def portion(self, size: int) -> slice:
        """Which of `size` things in a row are this process's; shares differ by one at most."""
        return portion(size, self.rank, self.count)

    def gather(self, value: Any) -> list[Any]:
        """Tell all a plain value, and hear theirs by rank.

        Raises:
            ElsewhereError: a process failed, or is gone.
        """
        return [value]

    def add(self, tensors: Sequence[Any], share: float) -> None:
        """Replace float tensors by their sum over the processes, each times its own share.

        Raises:
            ElsewhereError: a process is gone.
        """

    @contextmanager
    def together(self) -> Iterator[None]:
        """What ends one process with an error ends all of them.

        Raises:
            ElsewhereError: in those that did not fail themselves.
        """
        yield

    def require_same(self, what: str, fact: Callable[[], Any]) -> None:
        """Refuse processes that were started differently.

        Args:
            what: is compared, in words.
            fact: gives it, as a plain value.

        Raises:
            InputError: it is not the same in all of them.
        """


ALONE = Processes()


class Group(Processes):
    """One of several that a launcher started: over NCCL on GPUs, over gloo on CPUs."""

    def __init__(self) -> None:
        """Find the others by what the launcher left in the environment.

        Raises:
            InputError: that is not all there, or they do not answer.
        """
        from paddle import distributed

        self._paddle = distributed
        try:
            distributed.init_parallel_env()  # takes this process's device, too
        except (ValueError, RuntimeError, OSError) as error:
            raise InputError(
                f"cannot join the {count_started()} processes that train together ({error}); "
                "start them by python -m paddle.distributed.launch"
            ) from error
        self.rank, self.count = distributed.get_rank(), distributed.get_world_size()

    def gather(self, value: Any) -> list[Any]:
        """Tell all a plain value, and hear theirs by rank."""
        return self._exchange("", value)

    def add(self, tensors: Sequence[Any], share: float) -> None:
        """Replace float tensors by their sum over the processes, each times its own share."""
        import paddle

        with paddle.no_grad(), _others_heard():
            # As one tensor. No averaging by Paddle, which CPU builds lack; no float16, whose
            # sums they get wrong: gradients have their parameter's precision, 32 bits or more.
            flat = paddle.concat([tensor.flatten() for tensor in tensors]) * share
            self._paddle.all_reduce(flat)
            parts = flat.split([int(tensor.size) for tensor in tensors])
            for tensor, part in zip(tensors, parts, strict=True):
                tensor.set_value(part.reshape(tensor.shape))

    @contextmanager
    def together(self) -> Iterator[None]:
        """What ends one process with an error ends all of them."""
        try:
            yield
        except ElsewhereError:
            raise
        except Exception as error:
            with suppress(ElsewhereError):  # whoever is gone needs no reason
                self._exchange(str(error) or type(error).__name__, None, own=True)
            raise

    def require_same(self, what: str, fact: Callable[[], Any]) -> None:
        """Refuse processes that were started differently."""
        found = self.gather(fact())
        other = next((rank for rank, one in enumerate(found) if one != found[0]), None)
        if other is not None:
            raise InputError(
                f"{what}: process 0 has {found[0]}, process {other} has {found[other]}; all need "
                "the same files, on every machine"
            )

    def _exchange(self, error: str, value: Any, *, own: bool = False) -> list[Any]:
        said = np.frombuffer(json.dumps([error, value]).encode(), np.uint8)
        sizes = [int(size[0]) for size in self._all(np.array([said.size], np.int64))]
        padded = np.zeros(max(sizes), np.uint8)
        padded[: said.size] = said
        heard = [
            json.loads(row[:size].tobytes())
            for row, size in zip(self._all(padded), sizes, strict=True)
        ]
        failed = [f"process {rank}: {error}" for rank, (error, _) in enumerate(heard) if error]
        if failed and not own:
            raise ElsewhereError(failed[0])
        return [value for _, value in heard]

    def _all(self, array: np.ndarray) -> list[np.ndarray]:
        """An array of every process; all have the same shape."""
        import paddle

        with _others_heard():
            found: list[Any] = []
            self._paddle.all_gather(found, paddle.to_tensor(array))
            return [one.numpy() for one in found]


@contextmanager
def _others_heard() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ElsewhereError(
            f"another process of this training is gone ({reason}); its own log says why. Go on "
            "with --resume"
        ) from error


def portion(size: int, number: int, parts: int) -> slice:
    """Part `number` of `size` things in a row, cut into `parts` that differ by one at most."""
    return slice(size * number // parts, size * (number + 1) // parts)


def count_started() -> int:
    """How many processes the launcher started together, 1 without one."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def is_first() -> bool:
    """Whether this is the first of the processes, or alone."""
    return os.environ.get("PADDLE_TRAINER_ID", "0") == "0"


def started_together() -> Processes:
    """This process among those that were started together with it."""
    return Group() if count_started() > 1 else ALONE


def require_alone(what: str) -> None:
    """Refuse to do in several processes what one has to.

    Raises:
        InputError: a launcher started several.
    """
    if count_started() > 1:
        raise InputError(
            f"{what} was started as {count_started()} processes by a launcher; start it without one"
        )
