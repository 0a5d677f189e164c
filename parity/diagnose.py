"""What is wrong, and the proof: causes are looked for where the weights and the own errors point.

Weights come first; the rest is judged with the weights that the converter carries over, so that one
fault does not hide another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from parity.causes import dropouts, layers, loaded, static
from parity.isolate import forced_until_settled, isolated
from parity.patient import Patient
from parity.record import NetworkError
from parity.result import Diagnosis
from parity.suspect import collect
from parity.weights import paddle_arrays

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from parity.backends import FloatType
    from parity.losses import Losses
    from parity.passes import Carried, Passes
    from parity.record import CallKey
    from parity.result import ParityResult
    from parity.suspect import Suspect
    from parity.training import Training


def diagnosed(
    result: ParityResult,
    passes: Passes,
    training: Training | None = None,
    losses: Losses | None = None,
) -> ParityResult:
    """Look for causes where something failed; what passed comes back as it is.

    Args:
        result: What the check found.
        passes: Makes runs of the networks.
        training: What the check 'train' did.
        losses: What the check 'loss' compared.
    """
    if result:
        return result
    weights = passes.weights
    right = weights.right()
    carried = weights if right is None else replace(weights, carried=True)
    rename = weights.structure.rename
    patient = Patient(
        weights.torch_module,
        weights.paddle_layer,
        passes.inputs,
        rename,
        right if result.weights else None,
        paddle_arrays(weights.paddle_layer),
        carried.copies,
        passes.numbers,
    )
    again = result.layers and result.weights and right is not None
    faults = isolated(result, patient.runs, rename) if again else result
    found = [
        *diagnose(faults, patient, result.faults or faults.faults),
        *_of_gradients(faults, patient, weights),
        *_of_losses(faults, losses),
    ]
    if training is not None and not all(step.state.passes for step in faults.steps):
        known = {told.cause for told in found}
        found += _of_training(faults, patient, weights, training, known)
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
    result: ParityResult,
    patient: Patient,
    weights: Carried,
    training: Training,
    known: Collection[str],
) -> list[Diagnosis]:
    """Look what the steps did; and, where the first loss differs already, what came before them."""
    # They load both frameworks.
    from parity.causes.training import losses
    from parity.causes.training.examine import examine

    first = next(step.step for step in result.steps if not step.state.passes)
    dtype = _precision(result)
    found = examine(weights, training, dtype, patient.paths, first, len(result.steps))
    lost = any(not one.state.passes for one in result.steps[0].of_kind("loss"))
    if known or not lost or any(told.cause.startswith("bn-") for told in found):
        return found
    try:
        ahead = _in_training_mode(result, patient, weights, training)
        return [*(ahead or losses.examine(weights, training, dtype)), *found]
    except NetworkError:
        return found  # what cannot be run so stays unexplained


def _in_training_mode(
    result: ParityResult, patient: Patient, weights: Carried, training: Training
) -> list[Diagnosis]:
    """Look for layers that go wrong in training mode alone."""
    from parity.causes.gradients.examine import of_training
    from parity.masks import same_masks

    dtype = _precision(result)
    case = of_training(weights, training, dtype, patient.paths)
    trained = replace(patient, inputs=case.inputs, copies=lambda _: case.networks(), training=True)
    bounds = {"tol": result.tol, "tol64": result.tol64}
    with same_masks():
        forced = forced_until_settled([dtype], trained.runs, patient.rename, **bounds)
        faults = forced.blame(**bounds).faults
        suspects = list(_suspects(result, trained, trained.chosen(faults)))
    found = []
    for suspect in suspects:
        with same_masks():
            found += _cause(suspect, patient.paths)
    return list(dict.fromkeys(found))


def _precision(result: ParityResult) -> FloatType:
    return "float64" if "float64" in result.precisions else "float32"


def diagnose(
    result: ParityResult, patient: Patient, order: Sequence[CallKey]
) -> tuple[Diagnosis, ...]:
    """Find the causes of what a check found, each confirmed, in the order of the faults.

    Args:
        result: What the check found; its faults are those with the right weights.
        patient: The networks.
        order: The faults as they arose, those of wrong weights included.
    """
    found = list(loaded.examine(patient))
    if not result.layers:
        found += static.examine(patient.torch_module, patient.paddle_layer, patient.paths)
    chosen = patient.chosen(result.faults)
    for suspect in _suspects(result, patient, chosen):
        told = _cause(suspect, patient.paths)
        found += [_with_more(one, chosen[suspect.key]) for one in told]
    places = {path: place for place, (path, _) in reversed([*enumerate(order)])}
    later = {layer.name: len(order) + n for n, layer in reversed([*enumerate(result.layers)])}
    places = later | places
    return tuple(sorted(dict.fromkeys(found), key=lambda one: places.get(one.layer, len(later))))


def _with_more(told: Diagnosis, more: int) -> Diagnosis:
    said = f"{told.evidence}; {more} more such layers are at fault and were not examined"
    return replace(told, evidence=said) if more else told


def _cause(suspect: Suspect, paths: Mapping[str, str]) -> list[Diagnosis]:
    setting = layers.examine(suspect) or dropouts.examine(suspect)
    if setting is not None:
        return [setting]
    ours, theirs = suspect.key[0], suspect.paddle_path

    def below(child: str) -> str:
        path = paths.get(f"{ours}.{child}" if ours else child, "")
        return path.removeprefix(f"{theirs}.") if path else child

    # It loads both frameworks.
    from parity.causes import own_forward

    return own_forward.examine(suspect, below)


def _suspects(
    result: ParityResult, patient: Patient, keys: Collection[CallKey]
) -> Iterator[Suspect]:
    if not keys:
        return
    ours, theirs = patient.runs(_precision(result))
    found = collect(ours, theirs, keys, rename=patient.rename, exchange_given=keys)
    yield from (found[key] for key in keys if key in found)
