"""Rounding that the network itself amplifies until it shows in float64: no fault of a port.

Five hundred layers, or a few chaotic ones, make the last place of a double visible. Two pieces of
evidence are asked for, both measured: that no call is off by more than rounding by itself, and that
torch moved by one unit in the last place is as far from itself. What one call does wrong is found
before: it is that call's own error.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from converters.files import scratch_folder
from parity.backends.autograd import autograd_of
from parity.compare import tensor_error
from parity.dump.spool import spooled
from parity.gradients import compare_through
from parity.nudge import nudge, nudged
from parity.precision import State, Verdict
from parity.runs import compare_runs
from parity.source import copy_as

if TYPE_CHECKING:
    from parity.compare import TensorError
    from parity.comparison import TensorComparison
    from parity.layer_result import LayerResult, TensorResult
    from parity.passes import Passes
    from parity.record import CallKey
    from parity.result import ParityResult

#: The largest own float64 error that counts as rounding; correct layers show 2e-15.
OWN = 1e-13
#: Torch's distance from itself is one draw: paddle's may be so many times as large.
ROOM = 10.0
#: No own errors are known of gradients; beyond this none is excused.
GRADIENT = 1e-7


def excused(result: ParityResult, passes: Passes) -> ParityResult:
    """Call what is off by amplified rounding so, where that can be shown.

    Args:
        result: What was found, own errors included.
        passes: Makes fresh copies of torch's network.

    Raises:
        NetworkError: The network's forward or backward raised.
    """
    own = _largest_own(result)
    states = [*(x.state for x in result.layers), *(x.state for x in result.gradients)]
    failing = any(not state.passes for state in states)
    if own is None or own > OWN or not failing:
        return result
    twin = _twin(passes, backward="backward" in result.checks)
    why = f"amplified rounding: no call is off by more than {own:.0e} by itself, and torch moved by"
    judge = _Judge(twin, f"{why} one unit in the last place is {{:.0e}} from itself here")
    return replace(
        result,
        layers=tuple(map(judge.layer, result.layers)),
        gradients=tuple(map(judge.gradient, result.gradients)),
    )


def _largest_own(result: ParityResult) -> float | None:
    """Give the largest own float64 error of any call; None if one fails or is not known."""
    if result.faults or "float64" not in result.precisions:
        return None
    layers = [x for x in result.layers if x.phase == "forward" and x.tensors]
    if not all(x.own_state is not None and x.own_state.passes for x in layers):
        return None
    return max((x.own64 for x in layers if x.own64 is not None), default=None)


@dataclass(frozen=True)
class _Twin:
    """How far torch is from itself in float64.

    Attributes:
        outputs: Of what calls returned.
        gradients: By what they returned, and by the inputs.
        parameters: By parameters.
    """

    outputs: dict[tuple[CallKey | None, str], TensorError]
    gradients: dict[tuple[CallKey | None, str], TensorError] = field(default_factory=dict)
    parameters: dict[str, TensorError] = field(default_factory=dict)


def _twin(passes: Passes, *, backward: bool) -> _Twin:
    plain, moved = (copy_as(passes.weights.torch_module, "float64") for _ in range(2))
    nudge(moved)
    here = passes.live(plain, "float64")
    there = replace(passes.live(moved, "float64"), inputs=nudged(passes.inputs, "float64"))
    started = passes.start("float64") if backward else None
    # One after the other: side by side, two torch networks would share torch's global switches.
    with scratch_folder("stdc-parity") as folder:
        with passes.alike():
            kept = spooled(here, folder / "torch.npz", started)
        with passes.alike():
            if started is None:
                errors, gradients = compare_runs(kept, there, rename={}), None
            else:
                errors, gradients = compare_through(kept, there, started, rename={})
    outputs: dict[tuple[CallKey | None, str], TensorError] = {
        (key, slot): found.error
        for key, call in errors.calls.items()
        for slot, found in call.outputs.items()
    }
    if gradients is None:
        return _Twin(outputs)
    places = {place: found.error for place, found in gradients.places.items()}
    return _Twin(outputs, places, _by_parameters(plain, moved))


def _by_parameters(plain: Any, moved: Any) -> dict[str, TensorError]:
    autograd = autograd_of(plain)
    twins = zip(autograd.tensors(plain), autograd.tensors(moved), strict=True)
    found = {}
    for (name, one), (_, two) in twins:
        ours, theirs = autograd.gradient(one), autograd.gradient(two)
        if ours is not None and theirs is not None:
            found[name] = tensor_error(ours, theirs)
    return found


@dataclass(frozen=True)
class _Judge:
    """Holds each error against torch's distance from itself.

    Attributes:
        twin: The distances.
        why: What is said, with a place for the distance.
    """

    twin: _Twin
    why: str

    def layer(self, layer: LayerResult) -> LayerResult:
        """Judge the tensors of a call, or their gradients."""
        forward, key = layer.phase == "forward", (layer.name, layer.call)
        known = self.twin.outputs if forward else self.twin.gradients
        tensors = (
            self._tensor(tensor, known.get((key, tensor.slot)), forward=forward)
            for tensor in layer.tensors
        )
        return replace(layer, tensors=tuple(tensors))

    def _tensor(
        self, tensor: TensorResult, known: TensorError | None, *, forward: bool
    ) -> TensorResult:
        verdict = self._verdict(tensor.verdict, tensor.double, known, forward=forward)
        if verdict is tensor.verdict:
            return tensor
        return replace(tensor, verdict=verdict, where=None)

    def gradient(self, found: TensorComparison) -> TensorComparison:
        """Judge a gradient by an input or a parameter."""
        number = found.name.removeprefix("input ")
        known = self.twin.parameters.get(found.name) or self.twin.gradients.get((None, number))
        verdict = self._verdict(found.verdict, found.double, known, forward=False)
        return replace(found, verdict=verdict)

    def _verdict(
        self,
        verdict: Verdict,
        double: TensorError | None,
        known: TensorError | None,
        *,
        forward: bool,
    ) -> Verdict:
        """Give the verdict as it was, or the excuse."""
        if verdict.state is not State.MISMATCH or double is None or known is None:
            return verdict
        if double.error is None or known.error is None or double.exact or double.fault:
            return verdict
        # Absolute: gradients that are zero but for rounding are measured against another scale.
        within = double.error * (double.scale or 1.0) <= ROOM * known.error * (known.scale or 1.0)
        if not within or not (forward or double.error <= GRADIENT):
            return verdict
        return Verdict(State.ROUNDING, self.why.format(known.error))
