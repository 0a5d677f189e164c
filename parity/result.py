"""What a parity check found; values only, no computing and no printing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.shown import Shown
from parity.precision import State

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

    from parity.backends import FloatType
    from parity.comparison import LossResult, StepResult, TensorComparison
    from parity.layer_result import LayerResult
    from parity.pair import Unpaired
    from parity.record import CallKey
    from parity.search import Assumed
    from parity.weights import WeightDifference


@dataclass(frozen=True)
class Diagnosis(Shown):
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

    def __rich__(self) -> RenderableType:
        """Return cause, layer, proof and mend for a terminal."""
        from parity.report.terminal import diagnosis

        return diagnosis(self)

    def _repr_html_(self) -> str:
        from parity.report.notebook import of_diagnosis

        return of_diagnosis(self)


@dataclass(frozen=True)
class ParityResult(Shown):
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

    def __rich__(self) -> RenderableType:
        """Return the report for a terminal."""
        from parity.report.terminal import Report

        return Report(self)

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
