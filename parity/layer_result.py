"""What a check found of one call: its tensors, their verdicts, and where its own forward erred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from parity.comparison import worst
from parity.precision import State

if TYPE_CHECKING:
    from parity.compare import TensorError
    from parity.error_map import ErrorMap
    from parity.precision import Floor, Verdict
    from parity.record import CallKey

Phase = Literal["forward", "backward"]


@dataclass(frozen=True)
class TensorResult:
    """One tensor of a call's outputs or inputs.

    Attributes:
        slot: Where it lies in the returned tuple, list or dict; '' for a lone tensor.
        shape: Its shape in torch.
        single: Error of the float32 run, if there was one.
        double: Error of the float64 run, if there was one.
        verdict: What the two say together.
        where: Where in it the difference lies; kept for the first failures.
    """

    slot: str
    shape: tuple[int, ...]
    single: TensorError | None
    double: TensorError | None
    verdict: Verdict
    where: ErrorMap | None = None


@dataclass(frozen=True)
class Between:
    """The place in a parent's own forward where a wrong value arose.

    Attributes:
        after: The last child call that had finished by then; None if there was none.
        before: The child call that was given the wrong value; None if the parent returned it.
    """

    after: CallKey | None
    before: CallKey | None

    def __str__(self) -> str:
        """Say where, for people: 'between a and b', 'before a, the first', 'after b, the last'."""
        if self.after and self.before:
            return f"between {_call_name(self.after)} and {_call_name(self.before)}"
        if self.before:
            return f"before {_call_name(self.before)}, the first"
        return f"after {_call_name(self.after)}, the last" if self.after else "in its own forward"


def _call_name(key: CallKey) -> str:
    path, call = key
    return f"{path} (call {call})" if call else path


@dataclass(frozen=True)
class LayerResult:
    """One call of one layer in both networks: its outputs, or the gradients of its outputs.

    Attributes:
        name: Its path in the torch network, '' for the network itself.
        kind: Its class in torch.
        paddle_kind: Its class in paddle.
        call: 0 for its first call, 1 for the second …
        parent: Path and call index of the call that it ran inside.
        tensors: Its outputs; in the backward phase their gradients.
        inputs: Those inputs that the enclosing forward computed by itself.
        floors: Single-precision kernels of paddle that ran in this call's own forward.
        phase: 'forward': the tensors are what the call returned; 'backward': the gradients of
            what it returned.
        own: What this call does wrong by itself: its outputs, and what its own forward handed to
            its children, both computed from torch's values. Empty where that was not measured.
        between: Where in its own forward the first wrong value arose, if one did.
        note: What else is known of the errors: where a float32 difference comes from, say.
    """

    name: str
    kind: str
    paddle_kind: str
    call: int
    parent: CallKey | None
    tensors: tuple[TensorResult, ...]
    inputs: tuple[TensorResult, ...] = ()
    floors: tuple[Floor, ...] = ()
    phase: Phase = "forward"
    own: tuple[TensorResult, ...] = ()
    between: Between | None = None
    note: str = ""

    @property
    def state(self) -> State:
        """The worst state among its outputs."""
        return worst(tensor.verdict.state for tensor in self.tensors) or State.NOT_COMPARED

    @property
    def own_state(self) -> State | None:
        """The worst state of what it computes from torch's values; None: not measured."""
        return worst(tensor.verdict.state for tensor in self.own)

    @property
    def reason(self) -> str:
        """Why it has this state, '' where the errors say everything."""
        found = (
            f"output {t.slot}: {t.verdict.reason}" if t.slot else t.verdict.reason
            for t in self.tensors
            if t.verdict.state is self.state and t.verdict.reason
        )
        floors = "; ".join(str(floor) for floor in dict.fromkeys(self.floors))
        told = next(found, floors if self.tensors else "returned no tensor")
        return "; ".join(part for part in (told, self.note) if part)

    @property
    def not_finite(self) -> int:
        """How many values of an output are NaN or infinite, and that alike on both sides."""
        errors = (error for t in self.tensors for error in (t.single, t.double) if error)
        return max((error.alike for error in errors), default=0)

    @property
    def error32(self) -> float | None:
        """The largest float32 error of its outputs."""
        return _worst(tensor.single for tensor in self.tensors)

    @property
    def error64(self) -> float | None:
        """The largest float64 error of its outputs."""
        return _worst(tensor.double for tensor in self.tensors)

    @property
    def own32(self) -> float | None:
        """Its own largest float32 error, nothing inherited from earlier layers."""
        return _worst(tensor.single for tensor in self.own)

    @property
    def own64(self) -> float | None:
        """Its own largest float64 error, nothing inherited from earlier layers."""
        return _worst(tensor.double for tensor in self.own)


def _worst(errors: Any) -> float | None:
    return max((e.error for e in errors if e is not None and e.error is not None), default=None)
