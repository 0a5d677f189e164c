"""From a suspect whose own forward is at fault to diagnoses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parity.backends import backend_of
from parity.causes.forward import explain, order
from parity.causes.layers import explains
from parity.causes.settings import MEASURED
from parity.causes.spelling import Speller
from parity.functional.paddle_trace import trace_paddle
from parity.functional.replay import given_the_same
from parity.functional.torch_trace import trace_torch
from parity.result import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from parity.backends import FloatType
    from parity.causes.forward import Finding
    from parity.functional.trace import Forced, Operation, Tensor, Trace
    from parity.suspect import Suspect


def examine(suspect: Suspect, theirs_of: Callable[[str], str]) -> list[Diagnosis]:
    """Compare the operations of both forwards on torch's values.

    Args:
        suspect: The call.
        theirs_of: Gives a child's path below the paddle layer for its path below torch's.
    """
    dtype: FloatType = "float64" if suspect.double else "float32"
    backend = backend_of(suspect.paddle_layer)
    with backend.exact_kernels(lambda: lambda _: None):
        try:
            ours = trace_torch(
                suspect.torch_module, suspect.torch_arguments, dtype, training=suspect.training
            )
            ours = _renamed(ours, theirs_of)
            theirs = trace_paddle(
                suspect.paddle_layer,
                suspect.arguments,
                _outputs(ours),
                dtype,
                training=suspect.training,
            )
        except Exception:  # noqa: BLE001 - a forward that cannot be run alone stays unexplained
            return []
        with backend.running(suspect.paddle_layer, dtype):
            findings = _findings(suspect, ours, theirs)
        speller = Speller(ours, theirs.given, suspect.torch_module, suspect.paddle_layer)
        return [_diagnosis(suspect, finding, _mend(finding, speller)) for finding in findings]


def _findings(suspect: Suspect, ours: Trace, theirs: Trace) -> list[Finding]:
    """Try the children in each other's places, then edits; then say what is certain anyway."""
    turned = order(ours, theirs)
    if turned is None:
        return explain(ours, theirs)
    if explains(suspect, suspect.trial(lambda layer: _exchanged(layer, turned.places))):
        return [turned.finding]
    return explain(ours, theirs) or ([turned.finding] if turned.certain else [])


def _exchanged(layer: Any, places: Mapping[str, str]) -> Any:
    """Put children into each other's places."""
    children = dict(layer.named_sublayers())
    for path, place in places.items():
        outer, _, name = place.rpartition(".")
        holder = children[outer] if outer else layer
        holder._sub_layers[name] = children[path]  # noqa: SLF001 - setattr refuses an index
    return layer


def _mend(finding: Finding, speller: Speller) -> str:
    """Spell what to write instead as code where that can be shown to be right, or in words."""
    if finding.wanted is not None:
        return speller.code(finding.wanted) or finding.mend
    assert finding.found is not None  # noqa: S101 - one of the two is there
    shape = finding.found.outputs[0].array.shape
    kept = (t.array for t in finding.found.given if t.array.shape == shape)
    code = next((text for text in map(speller.value, kept) if text), "")
    return f"{code}  # without {finding.found.name.strip('_')}" if code else finding.mend


def _renamed(trace: Trace, theirs_of: Callable[[str], str]) -> Trace:
    from dataclasses import replace

    operations = [
        replace(one, child=theirs_of(one.child)) if one.child else one for one in trace.operations
    ]
    return replace(trace, operations=operations)


def _outputs(trace: Trace) -> Forced:
    """Give what torch's children returned: where they were given the same, or else in order."""
    calls: dict[str, list[Operation]] = {}
    for operation in trace.operations:
        if operation.child:
            calls.setdefault(operation.child, []).append(operation)

    def returned(path: str, _: int, given: tuple[Tensor, ...]) -> Mapping[str, np.ndarray] | None:
        left = calls.get(path, [])
        if not left:
            return None
        call = given_the_same(left, given) or left[0]
        left.remove(call)
        return {tensor.slot: tensor.array for tensor in call.outputs}

    return returned


def _diagnosis(suspect: Suspect, finding: Finding, mend: str) -> Diagnosis:
    what = "with torch's result in its place, what the forward hands over is torch's"
    return Diagnosis(
        cause=finding.cause,
        layer=suspect.key[0],
        evidence=f"{finding}; {what}",
        mend=mend,
        source=MEASURED,
    )
