"""Several processes over Paddle's distributed part: NCCL on GPUs, gloo on CPUs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from converters.errors import InputError
from stdc_port.training.parallel import ElsewhereError, Processes, count_started


class Group(Processes):
    """One of several that a launcher started."""

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
