"""Gradients by every parameter, after both networks ran backward."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from parity.backends.autograd import autograd_of
from parity.compare import TensorError, tensor_error
from parity.gradients import alone
from parity.parameters import partners
from parity.runs import Slot

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from parity.backends import FloatType
    from parity.gradients import GradientErrors
    from parity.parameters import Partners
    from parity.weights import Keys

#: A gradient that is this much smaller than those it is summed from is zero but for rounding: the
#: bias of a convolution in front of a batch norm has such a one. Rounding leaves about the
#: precision times the square root of the number of summands.
CANCELLED: dict[str, float] = {"float32": 1e-4, "float64": 1e-9}
ZERO = "zero but for rounding, and measured against the gradients that it is the sum of"

Pair = tuple["np.ndarray", "np.ndarray"]


@dataclass(frozen=True)
class ParameterErrors:
    """One precision's gradients by the parameters.

    Attributes:
        slots: The errors, by torch's name.
        zero: Parameters whose gradients are zero but for rounding.
        frozen: Parameters that neither framework trains.
        kept: Both frameworks' gradients where float32's differ, for the float64 run to judge.
        own: How far each framework's own float32 is from its own float64, torch's first.
        notes: What is to be known.
    """

    slots: dict[str, Slot] = field(default_factory=dict)
    zero: set[str] = field(default_factory=set)
    frozen: list[str] = field(default_factory=list)
    kept: dict[str, Pair] = field(default_factory=dict)
    own: dict[str, tuple[TensorError, TensorError]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def parameter_errors(
    networks: tuple[Any, Any],
    dtype: FloatType,
    keys: Keys,
    outputs: GradientErrors,
    single: ParameterErrors | None = None,
    *,
    tol: float,
) -> ParameterErrors:
    """Measure the gradients that a backward pass left in two networks.

    Args:
        networks: The torch Module and the paddle Layer.
        dtype: Their precision.
        keys: How torch's keys become paddle's.
        outputs: The gradients of what their calls returned.
        single: The float32 run's errors, where this is the float64 one.
        tol: Float32 gradients beyond it are kept.
    """
    pairs, notes = partners(*networks, keys)
    autograds = autograd_of(networks[0]), autograd_of(networks[1])
    return errors_of(pairs, autograds, dtype, outputs, single, tol=tol, notes=notes)


class Gradients(Protocol):
    """What is asked of either side after its backward pass."""

    def trains(self, parameter: Any) -> bool:
        """Tell whether a parameter is to be trained."""

    def gradient(self, parameter: Any) -> np.ndarray | None:
        """Give the gradient by a parameter; None if none has reached it."""


def errors_of(
    pairs: Iterable[Partners],
    autograds: tuple[Gradients, Gradients],
    dtype: FloatType,
    outputs: GradientErrors,
    single: ParameterErrors | None = None,
    *,
    tol: float,
    notes: tuple[str, ...] = (),
) -> ParameterErrors:
    """Measure the gradients by pairs of parameters.

    Args:
        pairs: Whose partner is whose.
        autograds: Give torch's and paddle's.
        dtype: Their precision.
        outputs: See `parameter_errors`.
        single: See `parameter_errors`.
        tol: See `parameter_errors`.
        notes: What is to be known of the pairs.
    """
    found = ParameterErrors(notes=notes)
    largest = _largest(outputs)
    for pair in pairs:
        if pair.buffer:
            continue
        trained = [autograds[0].trains(pair.parameter)]
        trained.append(any(autograds[1].trains(target) for target in pair.targets))
        if not any(trained):
            found.frozen.append(pair.name)
            continue
        ours = autograds[0].gradient(pair.parameter)
        theirs = pair.pulled(autograds[1].gradient)
        if ours is None or theirs is None:
            _one_sided(found, pair, ours, theirs, trained)
            continue
        error = tensor_error(ours, theirs)
        summed = largest.get(pair.name.rpartition(".")[0], 0.0)
        if error.error is not None and error.scale < CANCELLED[dtype] * summed:
            error = TensorError(error.error * (error.scale or 1.0) / summed, summed)
            found.zero.add(pair.name)
        found.slots[pair.name] = Slot(ours.shape, error)
        _keep(found, pair.name, (ours, theirs), dtype, single, tol)
    return found


def _largest(outputs: GradientErrors) -> dict[str, float]:
    """Give the largest gradient at the outputs of each layer."""
    found: dict[str, float] = {}
    for (key, _), slot in outputs.places.items():
        if key is not None:
            found[key[0]] = max(found.get(key[0], 0.0), slot.error.scale)
    return found


def _one_sided(
    found: ParameterErrors,
    pair: Partners,
    ours: np.ndarray | None,
    theirs: np.ndarray | None,
    trained: list[bool],
) -> None:
    both = {"torch": ours, "paddle": theirs}
    for (name, array), trains, other in zip(both.items(), trained, reversed(both), strict=True):
        if array is not None:
            slot = alone(array, other)
            frozen = trains and not all(trained)
            fault = f"frozen in {other}, trained in {name}" if frozen else slot.error.fault
            error = TensorError(slot.error.error, slot.error.scale, fault=fault)
            found.slots[pair.name] = Slot(array.shape, error)


def _keep(
    found: ParameterErrors,
    name: str,
    arrays: Pair,
    dtype: FloatType,
    single: ParameterErrors | None,
    tol: float,
) -> None:
    error = found.slots[name].error.error
    if dtype == "float32" and error is not None and error > tol:
        found.kept[name] = arrays[0].copy(), arrays[1].copy()
    if single is not None and name in single.kept:
        own = zip(arrays, single.kept[name], strict=True)
        ours, theirs = (tensor_error(double, kept) for double, kept in own)
        found.own[name] = ours, theirs
