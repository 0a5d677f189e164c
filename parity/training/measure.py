"""Both sides of a training after a step, tensor by tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.backends import backend_of
from parity.backends.autograd import autograd_of
from parity.compare import TensorError, tensor_error
from parity.gradients import alone
from parity.training.measured import Measured, without_cancelled
from parity.training.states import row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from parity.parameters import Partners
    from parity.training.side import Side
    from parity.training.statistics import BiasedVariances


@dataclass
class Measurer:
    """Compares two sides of a training after each step.

    Attributes:
        ours: Torch's side.
        theirs: Paddle's side.
        pairs: Their parameters and buffers.
        variances: Torch's running variances as Paddle keeps them.
        bound: Errors up to here are equality, where two rules are to be told apart.
    """

    ours: Side
    theirs: Side
    pairs: Sequence[Partners]
    variances: BiasedVariances
    bound: float

    def __post_init__(self) -> None:
        """Tell parameters from buffers."""
        self._autograd = autograd_of(self.ours.network), autograd_of(self.theirs.network)
        self._backends = backend_of(self.ours.network), backend_of(self.theirs.network)
        self._parameters = [pair for pair in self.pairs if not pair.buffer]
        self._before: dict[str, np.ndarray] = {}

    def begin(self) -> None:
        """Remember the parameters before a step."""
        self._before = {pair.name: pair.values.copy() for pair in self._parameters}

    def step(
        self, ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]
    ) -> Iterator[Measured]:
        """Compare everything after a step, causes before effects.

        Args:
            ours: Torch's loss and its parts.
            theirs: Paddle's.
        """
        yield from self._losses(ours, theirs)
        yield from without_cancelled(list(self._gradients()), self.ours.dtype)
        yield from without_cancelled(list(self._states()), self.ours.dtype)
        yield from without_cancelled(list(self._values()), self.ours.dtype)
        yield from self._buffers()

    def _losses(
        self, ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]
    ) -> Iterator[Measured]:
        if len(ours) == len(theirs) == 1:
            theirs = dict(zip(ours, theirs.values(), strict=True))
        for name in ours | theirs:
            if name in ours and name in theirs:
                error = tensor_error(ours[name].reshape(()), theirs[name].reshape(()))
            else:
                side = "torch" if name in ours else "paddle"
                error = TensorError(None, 0.0, fault=f"only {side}'s loss has this part")
            yield Measured("loss", name, (), error)

    def _gradients(self) -> Iterator[Measured]:
        torch, paddle = self._autograd
        for pair in self._parameters:
            name, ours = pair.name, torch.gradient(pair.parameter)
            theirs = pair.pulled(paddle.gradient)
            if ours is not None and theirs is not None:
                yield Measured("gradient", name, ours.shape, tensor_error(ours, theirs))
            elif ours is not None or theirs is not None:
                found, other = (ours, "paddle") if theirs is None else (theirs, "torch")
                assert found is not None  # noqa: S101 - one of them is there
                yield Measured("gradient", name, found.shape, alone(found, other).error)

    def _states(self) -> Iterator[Measured]:
        torch, paddle = self._autograd
        for pair in self._parameters:
            kept = {id(t): paddle.states(self.theirs.optimizer, t) for t in pair.targets}
            some = next(iter(kept.values()))
            ours = torch.states(self.ours.optimizer, pair.parameter)
            for state, tensor in ours.items():
                row, their_name = row_of(state, some)
                if row is not None:
                    theirs = pair.pulled(self._state_of(kept, their_name), power=row.power)
                    values, what = self._backends[0].view(tensor), f"{pair.name}: {state}"
                    yield Measured("optimizer", what, values.shape, _error(values, theirs))
            if some and not ours:
                fault = "only paddle's optimizer keeps something for this parameter"
                error = TensorError(None, 0.0, fault=fault)
                yield Measured("optimizer", pair.name, tuple(pair.parameter.shape), error)

    def _state_of(
        self, kept: Mapping[int, Mapping[str, Any]], name: str
    ) -> Callable[[Any], np.ndarray | None]:
        def state(target: Any) -> np.ndarray | None:
            found = kept[id(target)].get(name)
            return None if found is None else self._backends[1].view(found)

        return state

    def _values(self) -> Iterator[Measured]:
        for pair in self._parameters:
            new, remark = pair.values, ""
            error = self._worst(pair, new)
            if error.error is not None and error.error > self.bound:
                remark = _update(pair, self._before[pair.name], new, self._backends[1].view)
            yield Measured("parameter", pair.name, new.shape, error, remark)

    def _worst(self, pair: Partners, values: np.ndarray) -> TensorError:
        errors = [
            tensor_error(wanted, self._backends[1].view(target))
            for way in pair.ways
            for wanted, target in zip(way.carried(values), way.targets, strict=True)
        ]
        return max(errors, key=lambda e: np.inf if e.error is None else e.error)

    def _buffers(self) -> Iterator[Measured]:
        for pair in self.pairs:
            if pair.buffer:
                yield self._as_paddle_keeps_it(pair, self._worst(pair, pair.values))

    def _as_paddle_keeps_it(self, pair: Partners, error: TensorError) -> Measured:
        """Hold a running variance against the biased one too, if it is not torch's."""
        plain = Measured("buffer", pair.name, pair.values.shape, error)
        followed = self.variances.found.get(pair.name)
        if followed is None or not followed.samples or error.error is None:
            return plain
        if error.error <= self.bound:
            return plain
        biased = self._worst(pair, followed.values.astype(pair.values.dtype))
        n = followed.samples
        if biased.error is not None and biased.error <= self.bound:
            said = f"paddle's is the biased variance: equal after n/(n − 1), here {n}/{n - 1}"
            return replace(plain, error=biased, remark=said)
        said = (
            f"neither torch's unbiased variance nor the biased one of {n} values, from which it is "
            f"{biased.error:.1e} off: is the momentum another?"
        )
        return replace(plain, remark=said)


def _error(ours: np.ndarray, theirs: np.ndarray | None) -> TensorError:
    if theirs is None:
        fault = "only torch's optimizer keeps it: is the parameter in one of paddle's groups?"
        return TensorError(None, 0.0, fault=fault)
    return tensor_error(ours, theirs)


def _update(pair: Partners, before: np.ndarray, after: np.ndarray, view: Any) -> str:
    """Tell how paddle's update differs from torch's, where it is a multiple of it."""
    way = pair.ways[0]
    old, new = way.carried(before)[0], way.carried(after)[0]
    ours, theirs = new - old, view(way.targets[0]) - old
    if not theirs.any():
        return "it did not change in paddle: is it in one of the optimizer's groups?"
    if not ours.any():
        return "it changed in paddle alone: it is in no group of torch's optimizer"
    factor = float((ours * theirs).sum() / (ours * ours).sum())
    if np.abs(theirs - factor * ours).max() <= 1e-6 * np.abs(theirs).max():
        return f"paddle's update is {factor:.6g} times torch's: another rate or factor"
    return ""
