"""What is wrong, and the proof: causes are looked for where the weights and the own errors point.

Weights come first; the rest is judged with the weights that the converter carries over, so that one
fault does not hide another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from parity.causes import layers, static
from parity.causes.settings import MEASURED
from parity.causes.weights import Wrong, explain
from parity.isolate import isolated
from parity.pair import partners
from parity.result import Diagnosis
from parity.source import LiveRun
from parity.suspect import collect
from parity.weights import paddle_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from parity.backends import FloatType
    from parity.losses import Losses
    from parity.passes import Carried
    from parity.record import CallKey
    from parity.result import ParityResult
    from parity.suspect import Suspect
    from parity.training import Training

#: Faults that are examined; a port with more has one cause that repeats.
EXAMINED = 12


@dataclass(frozen=True)
class Patient:
    """What is known of the two networks.

    Attributes:
        torch_module: The reference.
        paddle_layer: The network in question.
        inputs: The positional arguments of both.
        rename: Torch path prefix to paddle path prefix.
        right: The weights that the converter carries over; None where it cannot.
        found: The weights that paddle's network holds.
        copies: Makes copies of both in a precision, with right weights where they are known.
    """

    torch_module: Any
    paddle_layer: Any
    inputs: tuple[np.ndarray, ...]
    rename: Mapping[str, str]
    right: Mapping[str, np.ndarray] | None
    found: Mapping[str, np.ndarray]
    copies: Callable[[FloatType], tuple[Any, Any]]

    def runs(self, dtype: FloatType) -> tuple[LiveRun, LiveRun]:
        """Make fresh runs of both networks in a precision."""
        ours, theirs = self.copies(dtype)
        return LiveRun(ours, self.inputs, dtype), LiveRun(theirs, self.inputs, dtype)

    @property
    def paths(self) -> dict[str, str]:
        """Paddle's path by torch's."""
        ours = {path for path, _ in self.torch_module.named_modules()}
        theirs = {path for path, _ in self.paddle_layer.named_sublayers(include_self=True)}
        return dict(partners(ours, theirs, self.rename))


def diagnosed(
    result: ParityResult,
    weights: Carried,
    inputs: tuple[np.ndarray, ...],
    training: Training | None = None,
    losses: Losses | None = None,
) -> ParityResult:
    """Look for causes where something failed; what passed comes back as it is.

    Args:
        result: What the check found.
        weights: Makes copies of the networks; only read.
        inputs: The positional arguments of both.
        training: What the check 'train' did.
        losses: What the check 'loss' compared.
    """
    if result:
        return result
    right = weights.right()
    carried = weights if right is None else replace(weights, carried=True)
    rename = weights.structure.rename
    patient = Patient(
        weights.torch_module,
        weights.paddle_layer,
        inputs,
        rename,
        right if result.weights else None,
        paddle_arrays(weights.paddle_layer),
        carried.copies,
    )
    again = result.layers and result.weights and right is not None
    faults = isolated(result, patient.runs, rename) if again else result
    found = [
        *diagnose(faults, patient),
        *_of_gradients(faults, patient, weights),
        *_of_losses(faults, losses),
        *_of_training(faults, weights, training, patient.paths),
    ]
    return replace(result, diagnosis=list(dict.fromkeys(found)))


def _of_gradients(
    result: ParityResult, patient: Patient, weights: Carried
) -> tuple[Diagnosis, ...]:
    """Look where gradients stop, if it is only they that differ."""
    backward = [layer.state for layer in result.layers if layer.phase == "backward"]
    backward += [gradient.state for gradient in result.gradients]
    if result.faults or all(state.passes for state in backward):
        return ()
    # It loads both frameworks.
    from parity.causes.gradients.examine import Case, examine

    return tuple(examine(Case(weights, patient.inputs, _precision(result), patient.paths)))


def _of_losses(result: ParityResult, losses: Losses | None) -> list[Diagnosis]:
    if losses is None or all(loss.state.passes for loss in result.losses):
        return []
    # It loads both frameworks.
    from parity.causes.losses.examine import examine

    return examine(losses, _precision(result))


def _of_training(
    result: ParityResult, weights: Carried, training: Training | None, paths: Mapping[str, str]
) -> list[Diagnosis]:
    failed = [step.step for step in result.steps if not step.state.passes]
    if training is None or not failed:
        return []
    # It loads both frameworks.
    from parity.causes.training.examine import examine

    found = examine(weights, training, _precision(result), paths, failed[0], len(result.steps))
    order = {layer.name: place for place, layer in reversed([*enumerate(result.layers)])}
    return sorted(found, key=lambda told: order.get(told.layer, -1) if told.layer else len(order))


def _precision(result: ParityResult) -> FloatType:
    return "float64" if "float64" in result.precisions else "float32"


def diagnose(result: ParityResult, patient: Patient) -> tuple[Diagnosis, ...]:
    """Find the causes of what a check found; likeliest first, each confirmed.

    Args:
        result: What the check found; its faults are those with the right weights.
        patient: The networks.
    """
    order = {layer.name: place for place, layer in reversed([*enumerate(result.layers)])}
    found = sorted(_weights(patient), key=lambda told: order.get(told.layer, len(order)))
    if not result.layers:
        found += static.examine(patient.torch_module, patient.paddle_layer, patient.paths)
    for suspect in _suspects(result, patient):
        found += _cause(suspect, patient.paths)
    return tuple(dict.fromkeys(found))


def _cause(suspect: Suspect, paths: Mapping[str, str]) -> list[Diagnosis]:
    setting = layers.examine(suspect)
    if setting is not None:
        return [setting]
    ours, theirs = suspect.key[0], suspect.paddle_path

    def below(child: str) -> str:
        path = paths.get(f"{ours}.{child}" if ours else child, "")
        return path.removeprefix(f"{theirs}.") if path else child

    # It loads both frameworks.
    from parity.causes import own_forward

    return own_forward.examine(suspect, below)


def _suspects(result: ParityResult, patient: Patient) -> Iterator[Suspect]:
    keys: list[CallKey] = list(result.faults)[:EXAMINED]
    if not keys:
        return
    ours, theirs = patient.runs(_precision(result))
    found = collect(ours, theirs, keys, rename=patient.rename, exchange_given=keys)
    yield from (found[key] for key in keys if key in found)


def _weights(patient: Patient) -> Iterator[Diagnosis]:
    if patient.right is None:
        return
    owner = _owners(patient)
    wrong = [
        key
        for key, right in patient.right.items()
        if key in patient.found and not _same_bits(right, patient.found[key])
    ]
    for layer in dict.fromkeys(owner(key) for key in wrong):
        module = patient.torch_module.get_submodule(layer)
        keys = [key for key in wrong if owner(key) == layer]
        told = explain(
            Wrong(
                layer,
                type(module).__name__,
                {key: patient.right[key] for key in keys},
                {key: patient.found[key] for key in keys},
                patient.right,
                {k: v.detach().cpu().numpy() for k, v in module.state_dict().items()},
            )
        )
        if told is not None:
            yield Diagnosis(told.cause, layer, told.evidence, told.mend, MEASURED)


def _same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and one.astype(other.dtype).tobytes() == other.tobytes()


def _owners(patient: Patient) -> Callable[[str], str]:
    """Give the torch layer that a paddle key belongs to: the deepest that has a partner."""
    torch_path = {theirs: ours for ours, theirs in patient.paths.items()}

    def owner(key: str) -> str:
        path = key
        while path:
            path = path.rpartition(".")[0]
            if path in torch_path:
                return torch_path[path]
        return ""

    return owner
