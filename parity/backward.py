"""A run that goes on into its backward pass: gradients as a stream, as records are forward.

Each tensor that a call returned is watched; when its whole gradient is known, that is handed to a
consumer, compared or kept, and released. Which tensors those are is settled by the recorder, so
that a gradient belongs to the same call, by path and index, as the values did.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.arguments import as_arguments, split
from parity.backends import backend_of
from parity.backends.autograd import autograd_of
from parity.record import CallKey
from parity.recorder import observe
from parity.running import as_dtype, exact_kernels, explained

if TYPE_CHECKING:
    from parity.backends import Backend, FloatType
    from parity.backends.autograd import Autograd
    from parity.cotangents import Start
    from parity.precision import Floor
    from parity.record import Consumer, GivenConsumer


@dataclass(frozen=True)
class Gradient:
    """The gradient of one tensor.

    Attributes:
        key: The call that returned the tensor; None for an input of the network.
        slot: Where it lies in what the call returned; the number of an input.
        array: The values; in a sharing run they hold only until the consumer returns.
    """

    key: CallKey | None
    slot: str
    array: np.ndarray

    def kept(self) -> Gradient:
        """Copy its values, so that it outlives the consumer's call."""
        return replace(self, array=self.array.copy())


#: Takes a gradient; values that it gives back take the gradient's place.
GradientConsumer = Callable[[Gradient], "np.ndarray | None"]


@dataclass(frozen=True)
class Backward:
    """A backward pass to be made.

    Attributes:
        start: Where it starts; see `parity.cotangents`.
    """

    start: Start


@dataclass(frozen=True)
class _Watched:
    """A tensor that is watched, and the calls that returned it."""

    tensor: weakref.ref[Any]
    version: int
    names: list[tuple[CallKey, str]] = field(default_factory=list)


class _Watcher:
    """Watches each returned tensor once, whoever returns it; see `parity.record.Watch`."""

    def __init__(self, backend: Backend, autograd: Autograd, consumer: GradientConsumer) -> None:
        self._backend, self._autograd, self._consumer = backend, autograd, consumer
        self._watched: dict[int, _Watched] = {}

    def __call__(self, key: CallKey, tensors: list[tuple[str, Any]]) -> None:
        for slot, tensor in tensors:
            if self._autograd.flows(tensor):
                self._names(tensor).append((key, slot))

    def _names(self, tensor: Any) -> list[tuple[CallKey, str]]:
        found, version = self._watched.get(id(tensor)), self._backend.version(tensor)
        if found is None or found.tensor() is not tensor or found.version != version:
            found = self._watched[id(tensor)] = _Watched(weakref.ref(tensor), version)
            names = found.names
            self._autograd.watch(tensor, lambda array: self._tell(names, array))
        return found.names

    def _tell(self, names: list[tuple[CallKey, str]], array: np.ndarray) -> np.ndarray | None:
        replies = [self._consumer(Gradient(key, slot, array)) for key, slot in names]
        return next((reply for reply in replies if reply is not None), None)


def run_through(
    network: Any,
    inputs: tuple[np.ndarray, ...],
    consumer: Consumer,
    gradients: GradientConsumer,
    dtype: FloatType,
    backward: Backward,
    *,
    numbers: Mapping[CallKey, int] | None = None,
    training: bool = False,
    given: GivenConsumer | None = None,
) -> dict[CallKey, list[Floor]]:
    """Run a network forward and backward once; arrays are shared, see `parity.running.run`.

    The gradients of its parameters are left in them.

    Args:
        network: A torch Module or paddle Layer of one's own, whose parameters have the dtype.
        inputs: Its positional arguments; floating arrays are cast to the dtype.
        consumer: Called with each record as the call completes.
        gradients: Called with the gradient of each tensor that a call returned, once for each
            call that returned it; last with those of the inputs.
        dtype: The precision of the run.
        backward: Where to start.
        numbers: See `parity.running.run`.
        training: In training mode, not in evaluation mode.
        given: See `parity.running.run`.

    Returns:
        Single-precision kernels by the call whose backward pass they ran in.

    Raises:
        NetworkError: The network's forward, its backward, or the start between them raised.
    """
    backend, autograd = backend_of(network), autograd_of(network)
    arrays = [as_dtype(array, dtype) for array in inputs]
    leaves = [autograd.leaf(backend.argument(network, array)) for array in arrays]
    watcher = _Watcher(backend, autograd, gradients)
    with (
        backend.running(network, dtype, gradients=True, training=training),
        observe(
            network, consumer, share=True, watch=watcher, numbers=numbers, given=given
        ) as recorder,
        exact_kernels(network, dtype, recorder.noting),
    ):
        with explained(network, recorder):
            output = _called(network, autograd, leaves, as_arguments(inputs).names)
        with explained(network, recorder, "its backward pass"):
            _pass_back(autograd, *backward.start(network, output))
        _tell_inputs(autograd, leaves, gradients)
    return recorder.late


def _called(network: Any, autograd: Autograd, leaves: Sequence[Any], names: tuple[str, ...]) -> Any:
    """Call a network with copies, so that it may change them in place."""
    positional, named = split(tuple(autograd.copied(leaf) for leaf in leaves), names)
    return network(*positional, **named)


def _pass_back(autograd: Autograd, tensors: Sequence[Any], cotangents: Sequence[Any]) -> None:
    """Start from the tensors that a gradient flows through, if there are any."""
    pairs = zip(tensors, cotangents, strict=True)
    flowing = [pair for pair in pairs if autograd.flows(pair[0])]
    if flowing:
        autograd.backward(*zip(*flowing, strict=True))


def _tell_inputs(autograd: Autograd, leaves: Sequence[Any], consumer: GradientConsumer) -> None:
    for number, leaf in enumerate(leaves):
        array = autograd.gradient(leaf)
        if array is not None:
            consumer(Gradient(None, str(number), array))
