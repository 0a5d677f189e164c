"""From gradients that differ to diagnoses: a detached tensor, or parameters that are frozen."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.arguments import as_arguments
from parity.backends import backend_of
from parity.backends.autograd import autograd_of
from parity.backward import Backward, run_through
from parity.causes.gradients.flows import Flows, stopped, stops
from parity.causes.settings import MEASURED
from parity.causes.training.places import listed, places
from parity.cotangents import random_cotangent
from parity.masks import same_masks
from parity.parameters import partners
from parity.record import NetworkError
from parity.result import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from parity.backends import FloatType
    from parity.causes.gradients.flows import Stop
    from parity.parameters import Partners
    from parity.passes import Carried
    from parity.training import Training

#: What a mend may leave, and how much smaller than the difference that has to be.
LEFT = {"float64": 1e-8, "float32": 1e-3}
SMALLER = 1e-2
#: Gradients this much smaller than the largest are zero but for rounding.
SMALL = {"float64": 1e-9, "float32": 1e-4}

Gradients = dict[str, "np.ndarray | None"]


@dataclass(frozen=True)
class Case:
    """A backward pass of both networks.

    Attributes:
        weights: Makes the copies.
        inputs: Of both networks.
        dtype: The precision.
        paths: Paddle's path by torch's.
        training: What is trained, if they run in training mode.
    """

    weights: Carried
    inputs: tuple[np.ndarray, ...]
    dtype: FloatType
    paths: Mapping[str, str]
    training: Training | None = None

    def networks(self) -> tuple[Any, Any]:
        """Make copies, prepared as the training prepares them."""
        found = self.weights.copies(self.dtype)
        if self.training is not None:
            from parity.training.side import paddle_side, torch_side

            sides = (
                torch_side(found[0], self.training, self.dtype),
                paddle_side(found[1], self.training, self.dtype),
            )
            for side in sides:
                # It may freeze parameters.
                side.make_optimizer(side.network, side.loss)
        return found

    def run(self, network: Any, around: AbstractContextManager[Any] | None = None) -> None:
        """Go forward and backward; the gradients stay in the parameters."""
        backward, training = Backward(random_cotangent()), self.training is not None
        arguments = (network, self.inputs, _nothing, _nothing, self.dtype, backward)
        with same_masks(), around or nullcontext():
            run_through(*arguments, training=training)


def _nothing(_: Any) -> None:
    return None


def examine(case: Case) -> list[Diagnosis]:
    """Find where gradients stop, or which parameters are frozen.

    Args:
        case: A backward pass whose forward pass is right.
    """
    try:
        return list(_found(case))
    except NetworkError:
        return []


def _found(case: Case) -> Iterator[Diagnosis]:
    ours, theirs = case.networks()
    pairs, _ = partners(ours, theirs, case.weights.keys)
    pairs = tuple(pair for pair in pairs if not pair.buffer)
    flows = Flows(ours), Flows(theirs)
    case.run(ours, flows[0].noted())
    case.run(theirs, flows[1].noted())
    wanted, found = _gradients(pairs)
    frozen = [pair for pair in pairs if _frozen(pair)]
    names = {pair.name for pair in frozen}
    before = _distance(wanted, found, leave_out=names, dtype=case.dtype)
    where = stops(flows[0].calls, flows[1].calls, case.paths, _frameworks_own(theirs))
    yield from _stopped(case, ours, pairs, where, before)
    yield from _frozen_ones(case, frozen, pairs, before)


def _frameworks_own(network: Any) -> set[str]:
    """List the paths of layers that paddle defines: they do what they are told."""
    layers = backend_of(network).modules(network)
    return {path for path, layer in layers if type(layer).__module__.startswith("paddle.")}


def _gradients(pairs: Sequence[Partners]) -> tuple[Gradients, Gradients]:
    torch, paddle = autograd_of_both()
    ours: Gradients = {}
    theirs: Gradients = {}
    for pair in pairs:
        mine = torch.gradient(pair.parameter)
        ours[pair.name] = None if mine is None else mine.copy()
        theirs[pair.name] = pair.pulled(paddle.gradient)
    return ours, theirs


def autograd_of_both() -> tuple[Any, Any]:
    """Give torch's and paddle's autograd."""
    import paddle
    import torch

    return autograd_of(torch.nn.Module()), autograd_of(paddle.nn.Layer())


def _frozen(pair: Partners) -> bool:
    torch, paddle = autograd_of_both()
    return torch.trains(pair.parameter) and not any(map(paddle.trains, pair.targets))


def _stopped(
    case: Case, network: Any, pairs: Sequence[Partners], where: Sequence[Stop], before: float
) -> Iterator[Diagnosis]:
    """Stop torch's gradients at the same places: are they paddle's then?"""
    if not where:
        return
    _, found = _gradients(pairs)
    autograd_of(network).forget(network)
    case.run(network, stopped(network, where))
    cut, _ = _gradients(pairs)
    left = _distance(cut, found, leave_out=set(), dtype=case.dtype)
    if not _explains(left, before, case.dtype):
        return
    for layer in dict.fromkeys(stop.layer for stop in where):
        some = [stop for stop in where if stop.layer == layer]
        told = ", ".join(dict.fromkeys(map(_told, some)))
        evidence = (
            f"{told}; with torch's stopped there all gradients by parameters are paddle's to "
            f"{max(left, 1e-16):.0e}, without {before:.0e}"
        )
        mend = "no detach(), no stop_gradient=True, no paddle.no_grad() on what is handed over"
        yield Diagnosis("gradient-stopped", layer, evidence, mend, MEASURED)


def _told(stop: Stop) -> str:
    path, call = stop.key
    name = f"{path} (call {call})" if call else path or "the network"
    if stop.returned:
        return f"no gradient flows into what {name} returns"
    return f"no gradient flows back from input {stop.place} of {name}"


def _frozen_ones(
    case: Case, frozen: Sequence[Partners], pairs: Sequence[Partners], before: float
) -> Iterator[Diagnosis]:
    if not frozen:
        return
    known = [pair.name for pair in frozen]
    if before <= LEFT[case.dtype]:
        for path, members in places(known, [pair.name for pair in pairs]):
            evidence = f"stop_gradient is True of {listed(members)}, which torch trains"
            mend = "parameter.stop_gradient = False"
            yield Diagnosis("parameters-frozen", path, evidence, mend, MEASURED)
        return
    yield from _frozen_norms(case, set(known), before)


def _frozen_norms(case: Case, known: set[str], before: float) -> Iterator[Diagnosis]:
    """Let the frozen LayerNorms be trained, and nothing else: do all gradients agree?"""
    ours, theirs = case.networks()
    pairs, _ = partners(ours, theirs, case.weights.keys)
    layers = {
        path: [pair for pair in pairs if pair.name in known and _owner(pair.name) == path]
        for path, module in ours.named_modules()
        if type(module).__name__ == "LayerNorm"
    }
    layers = {path: members for path, members in layers.items() if members}
    if not layers:
        return
    for members in layers.values():
        for target in (target for pair in members for target in pair.targets):
            target.stop_gradient = False
    case.run(ours)
    case.run(theirs)
    wanted, found = _gradients([pair for pair in pairs if not pair.buffer])
    left = _distance(wanted, found, leave_out=known, dtype=case.dtype)
    if not _explains(left, before, case.dtype):
        return
    for path in layers:
        evidence = (
            f"its parameters have stop_gradient=True, with which paddle's kernel gives its input "
            f"another gradient: without it all gradients by the others are torch's to "
            f"{max(left, 1e-16):.0e}, with it {before:.0e}"
        )
        mend = "leave stop_gradient False, and the parameters out of the optimizer"
        yield Diagnosis("layer-norm-frozen", path, evidence, mend, MEASURED)


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _explains(left: float, before: float, dtype: FloatType) -> bool:
    return left <= LEFT[dtype] and left <= SMALLER * before


def _distance(
    wanted: Gradients, found: Gradients, *, leave_out: set[str], dtype: FloatType
) -> float:
    """Give the largest difference of two sets of gradients; absent ones are zero."""
    arrays = [
        (wanted[name], found[name])
        for name in wanted
        if name not in leave_out and not (wanted[name] is None and found[name] is None)
    ]
    largest = max((float(np.abs(one).max()) for one, _ in arrays if one is not None), default=0.0)
    errors = [_error(one, two, SMALL[dtype] * largest) for one, two in arrays]
    return max(errors, default=0.0)


def _error(one: np.ndarray | None, other: np.ndarray | None, small: float) -> float:
    if one is None or other is None:
        lone = other if one is None else one
        assert lone is not None  # noqa: S101 - one of them is there
        return 1.0 if float(np.abs(lone).max()) > small else 0.0
    scale = max(float(np.abs(one).max()), float(np.abs(other).max()))
    if scale <= small:
        return 0.0
    far = float(np.abs(one - other).max()) / scale
    return far if np.isfinite(far) else np.inf


def of_training(
    weights: Carried, training: Training, dtype: FloatType, paths: Mapping[str, str]
) -> Case:
    """Make the case of a training's first step."""
    return Case(weights, as_arguments(training.batches[0][0]), dtype, paths, training)
