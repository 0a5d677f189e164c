"""How far a training takes torch from itself, its weights one unit in the last place away.

Batch norms, ReLUs and the choice of hard pixels amplify the smallest difference: that is no fault
of either framework, and this is its measure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from parity.backends import backend_of
from parity.backends.autograd import autograd_of
from parity.compare import tensor_error
from parity.nudge import nudge
from parity.progress import tell
from parity.source import copy_as
from parity.training.measured import Measured, without_cancelled
from parity.training.side import torch_side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from parity.backends import FloatType
    from parity.comparison import Kind
    from parity.training.plan import Training
    from parity.training.side import Side

#: Distances of torch from itself after a step, by kind and name.
Sensitivity = dict[tuple["Kind", str], float]


def sensitivity(
    network: Any, training: Training, dtype: FloatType, *, steps: int
) -> tuple[Sensitivity, ...]:
    """Train a torch network twice, from weights one unit in the last place apart.

    Args:
        network: A torch Module of one's own, in the precision.
        training: What is done with it.
        dtype: The precision.
        steps: How many steps are made.

    Returns:
        The distances after each step.

    Raises:
        NetworkError: The network, its loss or its optimizer raised.
    """
    twins = [torch_side(one, training, dtype) for one in (copy_as(network, dtype), network)]
    for holder in twins[1].trained.values():
        nudge(holder)
    found = []
    for number in range(steps):
        tell(f"step {number + 1} of {steps}")
        batch = training.batches[number % len(training.batches)]
        losses = [twin.step(number, batch) for twin in twins]
        values = [_values(twin, parts) for twin, parts in zip(twins, losses, strict=True)]
        found.append(dict(_distances(values[0], values[1], dtype)))
    return tuple(found)


Values = dict["Kind", dict[str, np.ndarray]]


def _values(side: Side, losses: Mapping[str, np.ndarray]) -> Values:
    backend, autograd = backend_of(side.network), autograd_of(side.network)
    found: Values = {
        "loss": {name: value.reshape(()) for name, value in losses.items()},
        "gradient": {},
        "optimizer": {},
        "parameter": {},
        "buffer": {},
    }
    for name, tensor in side.tensors():
        if not autograd.trains(tensor):
            found["buffer"][name] = backend.view(tensor)
            continue
        found["parameter"][name] = backend.view(tensor)
        gradient = autograd.gradient(tensor)
        if gradient is not None:
            found["gradient"][name] = gradient
        for state, value in autograd.states(side.optimizer, tensor).items():
            found["optimizer"][f"{name}: {state}"] = backend.view(value)
    return found


def _distances(
    ours: Values, theirs: Values, dtype: FloatType
) -> Iterator[tuple[tuple[Kind, str], float]]:
    for kind, arrays in ours.items():
        both = [(name, a, theirs[kind][name]) for name, a in arrays.items() if name in theirs[kind]]
        found = [Measured(kind, name, a.shape, tensor_error(a, b)) for name, a, b in both]
        for one in without_cancelled(found, dtype):
            if one.error.error is not None:
                yield one.key, one.error.error
