"""What a parity check found; values only, no computing and no printing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from parity.comparison import worst
from parity.precision import State

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from parity.backends import FloatType
    from parity.compare import TensorError
    from parity.comparison import LossResult, StepResult, TensorComparison
    from parity.error_map import ErrorMap
    from parity.pair import Unpaired
    from parity.precision import Floor, Verdict
    from parity.record import CallKey
    from parity.search import Assumed
    from parity.weights import WeightDifference

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
class Diagnosis:
    """A cause that was confirmed.

    Attributes:
        cause: A short fixed name, 'pool-excludes-padding'.
        layer: Path of the layer at fault in the torch network, '' for the network itself.
        evidence: What was tried and by how much the difference shrank.
        mend: What to write instead, as code.
        source: Where the fact about the frameworks is documented.
    """

    cause: str
    layer: str
    evidence: str
    mend: str
    source: str


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


@dataclass(frozen=True)
class ParityResult:
    """The outcome of a check; true only when everything passed and something was compared.

    Attributes:
        layers: Every paired call, in torch's order of completion; then, in the order of torch's
            backward pass, the gradients of the calls' outputs.
        torch_only: Torch's calls without a partner.
        paddle_only: Paddle's calls without a partner.
        never_called: Torch paths of layers with weights that did not run: nothing is said of them.
        weights: Tensors that are not what the converter would have written.
        problems: Failures that belong to no layer.
        notes: What is worth knowing and no failure.
        tol: The float32 tolerance.
        tol64: The float64 tolerance.
        precisions: The precisions that were run.
        diagnosis: Causes, likeliest first.
        checks: What was checked.
        gradients: Of the inputs ('input 0') and of every parameter that either network trains.
        losses: Both losses on identical logits and labels.
        assumed: Pairs of layers that names alone did not give.
        faults: The calls that are wrong by themselves, in the order in which the faults arose;
            empty where own errors were not measured.
        steps: Training steps, in order.
        versions: Of the frameworks and of what else took part, by name.
        inputs: What the networks were given, one text an argument: 'float32 1×3×256×512'.
    """

    layers: tuple[LayerResult, ...]
    torch_only: tuple[Unpaired, ...] = ()
    paddle_only: tuple[Unpaired, ...] = ()
    never_called: tuple[str, ...] = ()
    weights: tuple[WeightDifference, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tol: float = 0.0
    tol64: float = 0.0
    precisions: tuple[FloatType, ...] = ()
    diagnosis: list[Diagnosis] = field(default_factory=list)
    checks: tuple[str, ...] = ("forward",)
    gradients: tuple[TensorComparison, ...] = ()
    losses: tuple[LossResult, ...] = ()
    steps: tuple[StepResult, ...] = ()
    assumed: tuple[Assumed, ...] = ()
    faults: tuple[CallKey, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether parity was shown."""
        return not self.failures

    @property
    def failures(self) -> tuple[str, ...]:
        """Everything that speaks against parity, one line each; empty when it was shown."""
        empty = [check for check in self.checks if not self._made(check)]
        return (*self._found(), *(f"{check}: nothing was compared" for check in empty))

    def _found(self) -> Iterator[str]:
        unpaired = [("torch", self.torch_only), ("paddle", self.paddle_only)]
        yield from self.problems
        yield from (f"weight {w.name} {w.reason}" for w in self.weights)
        for side, calls in unpaired:
            for u in calls:
                if u.weights:
                    where = f"{side} layer {shown(u.path)} ({u.kind}, call {u.call})"
                    yield f"{where} has weights and no partner"
        for layer in self.layers:
            if not layer.state.passes:
                what = "layer" if layer.phase == "forward" else "gradient at the output of layer"
                yield f"{what} {shown(layer.name)}: {layer.state.value}"
        yield from (f"gradient of {g.name}: {g.state.value}" for g in _failing(self.gradients))
        for loss in self.losses:
            for t in _failing(loss.tensors):
                yield f"loss, {loss.case}: {t.kind} {t.name}: {t.state.value}"
        for step in self.steps:
            for t in _failing(step.tensors):
                yield f"step {step.step}: {t.kind} {t.name}: {t.state.value}"

    def _made(self, check: str) -> bool:
        """Tell whether a check compared anything; what was refused before has its own lines."""
        if self.problems:
            return True
        phases = [(layer.phase, layer.state) for layer in self.layers]
        phases += [("backward", tensor.state) for tensor in self.gradients]
        states = {
            "forward": [state for phase, state in phases if phase == "forward"],
            "backward": [state for phase, state in phases if phase == "backward"],
            "loss": [loss.state for loss in self.losses],
            "train": [step.state for step in self.steps],
        }
        return any(state is not State.NOT_COMPARED for state in states[check])

    @property
    def faulty(self) -> tuple[LayerResult, ...]:
        """All calls that are wrong by themselves, first fault first; needs own errors."""
        found = {(x.name, x.call): x for x in self.layers if x.phase == "forward"}
        return tuple(found[key] for key in self.faults)

    @property
    def first_divergence(self) -> LayerResult | None:
        """The layer at fault, as far as the forward pass tells: None if every layer passed.

        With own errors: the first call that is wrong by itself. Without: the first layer to finish
        with a wrong output; if what it was *given* is wrong already and no layer had returned it,
        the enclosing forward made the mistake: then that.
        """
        if self.faulty:
            return self.faulty[0]
        failing = [layer for layer in self.layers if not layer.state.passes]
        alone = [x for x in failing if x.own_state is not None and not x.own_state.passes]
        first = next(iter([*alone, *failing]), None)
        while first is not None and _given_wrong(first):
            outer = next((x for x in self.layers if (x.name, x.call) == first.parent), None)
            if outer is None or outer.state.passes:
                break
            first = outer
        return first

    def counts(self) -> dict[str, int]:
        """Number of layers in each state, states without any included."""
        found = Counter(layer.state for layer in self.layers)
        return {state.value: found[state] for state in State}

    def to_json(self, title: str = "") -> dict[str, Any]:
        """Give the result as plain lists, dicts, numbers and texts; see `report/schema.json`.

        Args:
            title: What was compared.
        """
        from parity.report.json_report import as_json

        return as_json(self, title)

    def save_html(self, path: str | os.PathLike[str], title: str = "") -> None:
        """Write the result as one HTML file that opens offline and requests nothing.

        Args:
            path: The file; one that exists is replaced as a whole.
            title: What was compared.

        Raises:
            converters.InputError: The file cannot be written.
        """
        from parity.report.html import save_html

        save_html(self, Path(path), title)

    def _repr_html_(self) -> str:
        from parity.report.notebook import as_fragment

        return as_fragment(self)


def _failing(tensors: tuple[TensorComparison, ...]) -> Iterator[TensorComparison]:
    return (tensor for tensor in tensors if not tensor.state.passes)


def _given_wrong(layer: LayerResult) -> bool:
    return any(not tensor.verdict.state.passes for tensor in layer.inputs)


def shown(path: str) -> str:
    """Spell a path for people: the network itself has none."""
    return path or "'' (the network's own forward)"
