"""Weights compared with those that the converter carries over, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parity.causes.settings import MEASURED
from parity.causes.weights import Wrong, explain
from parity.result import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from parity.patient import Patient


def examine(patient: Patient) -> Iterator[Diagnosis]:
    """Say what was done to each layer's weights that are wrong, where something known gives them.

    Args:
        patient: The networks, and both sets of weights.
    """
    if patient.right is None:
        return
    owner = _owners(patient.paths)
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


def _owners(paths: Mapping[str, str]) -> Callable[[str], str]:
    """Give the torch layer that a paddle key belongs to: the deepest that has a partner."""
    torch_path = {theirs: ours for ours, theirs in paths.items()}

    def owner(key: str) -> str:
        path = key
        while path:
            path = path.rpartition(".")[0]
            if path in torch_path:
                return torch_path[path]
        return ""

    return owner
