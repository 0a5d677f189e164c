"""One framework's side of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.arguments import as_arguments, split
from parity.backends import backend_of
from parity.backends.autograd import autograd_of
from parity.masks import same_masks
from parity.running import as_dtype, exact_kernels, explained
from parity.source import copy_as
from parity.training.plan import loss_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from parity.backends import FloatType
    from parity.precision import Floor
    from parity.training.plan import Loss, MakeOptimizer, Schedule, Training


@dataclass
class Side:
    """A network, its loss and its optimizer, all of them copies in one precision.

    Attributes:
        network: The copy that is trained.
        loss: Its loss; a copy if it is a network itself.
        dtype: The precision.
        make_optimizer: See `parity.training.plan.MakeOptimizer`.
        schedule: See `parity.training.plan.Schedule`.
        prepare: Is told the network at once.
        floors: Single-precision kernels that ran, by operation.
        optimizer: Made before the first step.
    """

    network: Any
    loss: Loss
    dtype: FloatType
    make_optimizer: MakeOptimizer
    schedule: Schedule | None
    prepare: Callable[[Any], Any] | None
    floors: dict[str, Floor] = field(default_factory=dict)
    optimizer: Any = None

    def __post_init__(self) -> None:
        """Copy the loss, and do to the network what is to be done first."""
        if is_network(self.loss):
            self.loss = copy_as(self.loss, self.dtype)
        if self.prepare is not None:
            self.prepare(self.network)

    @property
    def trained(self) -> dict[str, Any]:
        """The network, and the loss if it is one: what may hold parameters, by prefix."""
        return {"": self.network} | ({"loss.": self.loss} if is_network(self.loss) else {})

    def tensors(self) -> Iterator[tuple[str, Any]]:
        """Yield every parameter and buffer once, under its first name."""
        seen: set[int] = set()
        for prefix, holder in self.trained.items():
            for name, tensor in autograd_of(holder).tensors(holder):
                if id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield prefix + name, tensor

    def step(self, number: int, batch: tuple[Any, ...]) -> dict[str, np.ndarray]:
        """Make one step; gradients, parameters and optimizer state are left where they are.

        Args:
            number: Of the step, from 0.
            batch: Inputs and labels.

        Returns:
            The loss and its parts, before the step.

        Raises:
            NetworkError: Something of the user's raised.
        """
        backend, autograd = backend_of(self.network), autograd_of(self.network)
        with (
            backend.running(self.network, self.dtype, gradients=True, training=True),
            exact_kernels(self.network, self.dtype, lambda: self._note),
            explained(self.network, None, f"training step {number}"),
            same_masks(number),
        ):
            if self.optimizer is None:
                self.optimizer = self.make_optimizer(self.network, self.loss)
            for holder in self.trained.values():
                autograd.forget(holder)
            if self.schedule is not None:
                self.schedule(self.optimizer, number)
            positional, named = split(*self._tensors(batch[0]))
            labels, _ = self._tensors(tuple(batch[1:]))
            parts = loss_parts(self.loss(self.network(*positional, **named), *labels))
            total = next(iter(parts.values()))
            autograd.backward([total], [np.ones(tuple(total.shape), self.dtype)])
            self.optimizer.step()
        return {name: backend.view(part).copy() for name, part in parts.items()}

    def _tensors(self, values: Any) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        arguments, backend = as_arguments(values), backend_of(self.network)
        tensors = (
            backend.argument(self.network, as_dtype(array, self.dtype)) for array in arguments
        )
        return tuple(tensors), arguments.names

    def _note(self, floor: Floor) -> None:
        known = self.floors.get(floor.operation)
        if known is None or known.error < floor.error:
            self.floors[floor.operation] = floor


def torch_side(network: Any, training: Training, dtype: FloatType) -> Side:
    """Make the side of a torch Module of one's own, which has the dtype already."""
    return Side(
        network,
        training.torch_loss,
        dtype,
        training.torch_optimizer,
        training.torch_schedule,
        training.torch_prepare,
    )


def paddle_side(network: Any, training: Training, dtype: FloatType) -> Side:
    """Make the side of a paddle Layer of one's own, which has the dtype already."""
    return Side(
        network,
        training.paddle_loss,
        dtype,
        training.paddle_optimizer,
        training.paddle_schedule,
        training.paddle_prepare,
    )


def is_network(value: Any) -> bool:
    """Tell whether a value is a torch Module or a paddle Layer."""
    try:
        backend_of(value)
    except TypeError:
        return False
    return True
