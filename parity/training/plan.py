"""What a training is, in both frameworks at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: From what the network returned, and a batch's labels, to the loss: a scalar tensor, or several
#: in a dict or (named) tuple, of which the first is trained on and the others are its parts.
Loss = Callable[..., Any]
#: From a network and its loss to an optimizer of their parameters.
MakeOptimizer = Callable[[Any, Any], Any]
#: Told the optimizer and the number of a step before it is made: sets the learning rate.
Schedule = Callable[[Any, int], None]


@dataclass(frozen=True, kw_only=True)
class Training:
    """A training, once for each framework; both are run on copies of the networks.

    Attributes:
        torch_loss: Torch's loss, a function or a Module; see `Loss`.
        paddle_loss: Paddle's loss.
        torch_optimizer: Makes torch's optimizer; see `MakeOptimizer`.
        paddle_optimizer: Makes paddle's optimizer.
        batches: Each the network's inputs (an array, or a tuple or dict of them) and the labels.
            They are used in turn, and again from the first when they run out.
        torch_schedule: Sets torch's learning rate; None leaves it to the optimizer.
        paddle_schedule: Sets paddle's.
        torch_prepare: Is told the torch network before the first step: adds hooks, say.
        paddle_prepare: The same for paddle.
    """

    torch_loss: Loss
    paddle_loss: Loss
    torch_optimizer: MakeOptimizer
    paddle_optimizer: MakeOptimizer
    batches: Sequence[tuple[Any, ...]]
    torch_schedule: Schedule | None = None
    paddle_schedule: Schedule | None = None
    torch_prepare: Callable[[Any], Any] | None = None
    paddle_prepare: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        """Refuse a training without batches.

        Raises:
            ValueError: There are none, or one has no labels.
        """
        if not self.batches:
            raise ValueError("a training needs at least one batch")
        for number, batch in enumerate(self.batches):
            if not isinstance(batch, tuple | list) or len(batch) < 2:
                raise ValueError(f"batch {number}: expected a tuple of inputs and labels")


def loss_parts(value: Any) -> dict[str, Any]:
    """Name the scalars that a loss returned, the one that is trained on first.

    Raises:
        ValueError: There are none.
    """
    if hasattr(value, "_fields"):
        found = dict(zip(value._fields, value, strict=True))
    elif isinstance(value, Mapping):
        found = {str(name): part for name, part in value.items()}
    elif isinstance(value, tuple | list):
        found = {"loss" if not place else f"part {place}": part for place, part in enumerate(value)}
    else:
        found = {"loss": value}
    if not found:
        raise ValueError("the loss returned nothing")
    return found
