"""Tensors compared by name, outside of any layer's call: gradients, losses, training steps.

Values only, as in `parity.result`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from parity.precision import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parity.compare import TensorError
    from parity.precision import Verdict

Kind = Literal["loss", "gradient", "optimizer", "parameter", "buffer"]


def worst(states: Iterable[State]) -> State | None:
    """Give the worst of some states; None if there are none."""
    found = set(states)
    order = (State.MISMATCH, State.NOT_COMPARED, State.ROUNDING, State.MATCH)
    return next((state for state in order if state in found), None)


@dataclass(frozen=True)
class TensorComparison:
    """One named tensor in both networks, outside of any layer's call.

    Attributes:
        name: Torch's name for it.
        kind: What it is: 'loss', 'gradient', 'optimizer', 'parameter' or 'buffer'.
        shape: Its shape in torch.
        single: Error of the float32 run, if there was one.
        double: Error of the float64 run, if there was one.
        verdict: What the two say together.
        own_single: Of a training step: the float32 error of this step alone, started from torch's
            state; `single` has accumulated since the first step. Of a gradient: the error when
            torch's gradients were given for what lies behind it.
        own_double: The same in float64.
        own_state: The state that those two alone give; None where there is none.
        sensitivity: After a training step: how far torch is from itself by then, trained from
            weights one unit in the last place away. None where it was not measured.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    single: TensorError | None
    double: TensorError | None
    verdict: Verdict
    own_single: TensorError | None = None
    own_double: TensorError | None = None
    own_state: State | None = None
    sensitivity: float | None = None

    @property
    def state(self) -> State:
        """The verdict's state."""
        return self.verdict.state

    @property
    def reason(self) -> str:
        """Why it has this state, '' where the errors say everything."""
        return self.verdict.reason

    @property
    def error32(self) -> float | None:
        """The float32 error."""
        return self.single.error if self.single else None

    @property
    def error64(self) -> float | None:
        """The float64 error."""
        return self.double.error if self.double else None

    @property
    def own32(self) -> float | None:
        """The float32 error of its training step alone."""
        return self.own_single.error if self.own_single else None

    @property
    def own64(self) -> float | None:
        """The float64 error of its training step alone."""
        return self.own_double.error if self.own_double else None


@dataclass(frozen=True)
class LossResult:
    """One batch of logits and labels, given to both losses.

    Attributes:
        case: What is special about the batch, for people.
        tensors: The loss's values, then its gradients by each output of the network.
    """

    case: str
    tensors: tuple[TensorComparison, ...]

    @property
    def state(self) -> State:
        """The worst state among its tensors."""
        return worst(tensor.state for tensor in self.tensors) or State.NOT_COMPARED


@dataclass(frozen=True)
class StepResult:
    """One training step of both networks.

    Attributes:
        step: Its number, from 0.
        tensors: All that was compared after it, causes before effects: losses, gradients,
            optimizer state, parameters, buffers.
    """

    step: int
    tensors: tuple[TensorComparison, ...]

    @property
    def state(self) -> State:
        """The worst state among its tensors."""
        return worst(tensor.state for tensor in self.tensors) or State.NOT_COMPARED

    @property
    def first_difference(self) -> TensorComparison | None:
        """The first tensor that is wrong in this step alone, else inherited; None if all pass."""
        failing = [tensor for tensor in self.tensors if not tensor.state.passes]
        alone = [x for x in failing if x.own_state is not None and not x.own_state.passes]
        return next(iter([*alone, *failing]), None)

    def of_kind(self, kind: Kind) -> tuple[TensorComparison, ...]:
        """Give its tensors of one kind."""
        return tuple(tensor for tensor in self.tensors if tensor.kind == kind)
