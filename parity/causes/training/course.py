"""What the steps of a training did to each parameter, written down while both sides run again.

What backward left, the values before and the values after say all of an optimizer, whatever it is
made of. Updates are elementwise, so some elements of a tensor stand for all of it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.backends import backend_of
from parity.backends.autograd import autograd_of
from parity.parameters import partners, partners_by_name
from parity.training.side import is_network, paddle_side, torch_side

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from parity.backends import FloatType
    from parity.training import Training
    from parity.weights import Keys

#: Elements of a tensor that are kept.
ELEMENTS = 128


@dataclass(frozen=True, eq=False)
class Move:
    """What one step did to one parameter.

    Attributes:
        before: Some elements before it.
        gradient: The same elements of what backward left; None if nothing.
        squares: The sum of squares of the whole gradient.
        after: The same elements after it.
    """

    before: np.ndarray
    gradient: np.ndarray | None
    squares: float
    after: np.ndarray

    @property
    def update(self) -> np.ndarray:
        """What the step added."""
        return self.after - self.before


@dataclass(frozen=True, eq=False)
class Course:
    """All steps of one parameter.

    Attributes:
        name: Its name in torch.
        shape: Its shape, in its own framework.
        moves: The steps.
        trains: Its framework would train it.
    """

    name: str
    shape: tuple[int, ...]
    moves: tuple[Move, ...]
    trains: bool

    @property
    def still(self) -> bool:
        """Whether no step changed it."""
        return not any(move.update.any() for move in self.moves)

    @property
    def slope(self) -> float:
        """The largest value of its gradients."""
        found = [m.gradient for m in self.moves if m.gradient is not None]
        return max((float(np.abs(gradient).max()) for gradient in found), default=0.0)


@dataclass(frozen=True)
class Reference:
    """What torch's optimizer was told, and what it got.

    Attributes:
        kind: Its class.
        groups: Its options by group, without the rate.
        group_of: The group of each parameter that it has, by name.
        rates: The rate of each group, by step; one more than there are steps.
        used: Some elements of the gradients that it got, clipped perhaps, by name and step.
    """

    kind: type[Any]
    groups: tuple[Mapping[str, Any], ...]
    group_of: Mapping[str, int]
    rates: tuple[tuple[float, ...], ...]
    used: Mapping[str, tuple[np.ndarray | None, ...]]

    def rate(self, name: str, step: int) -> float:
        """Give the rate of a parameter in a step."""
        return self.rates[step][self.group_of[name]]


@dataclass(frozen=True)
class Courses:
    """Both sides of a training.

    Attributes:
        reference: Torch's optimizer; None where it is not one of torch.optim's making.
        ours: Torch's parameters by name.
        theirs: Paddle's; several for one name where torch's was split.
        losses: Both losses by step.
        dtype: The precision.
    """

    reference: Reference | None
    ours: Mapping[str, Course]
    theirs: tuple[Course, ...]
    losses: tuple[tuple[float, float], ...]
    dtype: FloatType


@dataclass
class _Log:
    """Writes down what a step does to some tensors of one framework."""

    network: Any
    tensors: list[tuple[str, Any]] = field(default_factory=list)
    moves: list[list[Move]] = field(default_factory=list)

    def making(self, make: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def made(network: Any, loss: Any) -> Any:
            optimizer = make(network, loss)
            step = optimizer.step
            optimizer.step = lambda *args, **kwargs: self.around(step, *args, **kwargs)
            self.made(optimizer)
            return optimizer

        return made

    def made(self, optimizer: Any) -> None:
        """See the optimizer once it is there."""

    def around(self, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        backend, autograd = backend_of(self.network), autograd_of(self.network)
        before = [
            (some(backend.view(tensor)), autograd.gradient(tensor)) for _, tensor in self.tensors
        ]
        gradients = [(_some(g), _squares(g)) for _, g in before]
        result = step(*args, **kwargs)
        after = [some(backend.view(tensor)) for _, tensor in self.tensors]
        self.moves.append(
            [
                Move(values, gradient, squares, new)
                for (values, _), (gradient, squares), new in zip(
                    before, gradients, after, strict=True
                )
            ]
        )
        return result

    def courses(self) -> tuple[Course, ...]:
        autograd = autograd_of(self.network)
        return tuple(
            Course(
                name,
                tuple(tensor.shape),
                tuple(step[place] for step in self.moves),
                autograd.trains(tensor),
            )
            for place, (name, tensor) in enumerate(self.tensors)
        )


@dataclass
class _TorchLog(_Log):
    """Sees torch's optimizer itself at work, too."""

    kind: type[Any] | None = None
    optimizer: Any = None
    rates: list[tuple[float, ...]] = field(default_factory=list)
    used: list[list[np.ndarray | None]] = field(default_factory=list)

    def made(self, optimizer: Any) -> None:
        import torch

        if isinstance(optimizer, torch.optim.Optimizer):
            self.kind, self.optimizer = type(optimizer), optimizer
            optimizer.register_step_pre_hook(lambda *_: self.at_work())

    def at_work(self) -> None:
        autograd = autograd_of(self.network)
        self.rates.append(self._rates())
        self.used.append([_some(autograd.gradient(tensor)) for _, tensor in self.tensors])

    def _rates(self) -> tuple[float, ...]:
        return tuple(float(group["lr"]) for group in self.optimizer.param_groups)

    def reference(self) -> Reference | None:
        if self.kind is None or len(self.used) != len(self.moves):
            return None
        groups = self.optimizer.param_groups
        place = {id(p): number for number, group in enumerate(groups) for p in group["params"]}
        names = [(n, name) for n, (name, tensor) in enumerate(self.tensors) if id(tensor) in place]
        left_out = ("params", "lr", "initial_lr")
        return Reference(
            self.kind,
            tuple({k: v for k, v in group.items() if k not in left_out} for group in groups),
            {name: place[id(self.tensors[n][1])] for n, name in names},
            (*self.rates, self._rates()),
            {name: tuple(step[n] for step in self.used) for n, name in names},
        )


def recorded(
    networks: tuple[Any, Any], training: Training, dtype: FloatType, keys: Keys, steps: int
) -> Courses:
    """Train two networks of one's own, and write down what each step does.

    Args:
        networks: Torch's and paddle's, in the precision, with the same weights.
        training: What is done with them.
        dtype: The precision.
        keys: How torch's keys become paddle's.
        steps: How many.

    Raises:
        NetworkError: A network, a loss or an optimizer raised.
    """
    logs = _TorchLog(networks[0]), _Log(networks[1])
    watched = replace(
        training,
        torch_optimizer=logs[0].making(training.torch_optimizer),
        paddle_optimizer=logs[1].making(training.paddle_optimizer),
    )
    ours = torch_side(networks[0], watched, dtype)
    theirs = paddle_side(networks[1], watched, dtype)
    for name, pair in _parameters(networks, keys, ours.loss, theirs.loss):
        logs[0].tensors.append((name, pair.parameter))
        logs[1].tensors += [(name, target) for target in pair.targets]
    losses = []
    for number in range(steps):
        batch = training.batches[number % len(training.batches)]
        values = ours.step(number, batch), theirs.step(number, batch)
        mine, other = (float(next(iter(parts.values())).reshape(())) for parts in values)
        losses.append((mine, other))
    if ours.schedule is not None:
        # The rate that would come next: a port may be one step ahead.
        with suppress(Exception):
            ours.schedule(ours.optimizer, steps)
    by_name = {course.name: course for course in logs[0].courses()}
    return Courses(logs[0].reference(), by_name, logs[1].courses(), tuple(losses), dtype)


def _parameters(networks: tuple[Any, Any], keys: Keys, *losses: Any) -> list[tuple[str, Any]]:
    both = {"": partners(*networks, keys)[0]}
    if all(is_network(loss) for loss in losses):
        both["loss."] = partners_by_name(*losses)
    return [
        (prefix + pair.name, pair)
        for prefix, pairs in both.items()
        for pair in pairs
        if not pair.buffer
    ]


def some(array: np.ndarray) -> np.ndarray:
    """Copy some elements of an array, spread over it."""
    flat = array.reshape(-1)
    return flat[:: max(flat.size // ELEMENTS, 1)].copy()


def _some(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else some(array)


def _squares(array: np.ndarray | None) -> float:
    return 0.0 if array is None else float(np.square(array, dtype=np.float64).sum())
