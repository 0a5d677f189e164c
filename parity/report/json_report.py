"""A parity result as plain values, for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.result import LayerResult, ParityResult, TensorResult


def as_json(result: ParityResult) -> dict[str, Any]:
    """Give a result as plain lists, dicts, numbers and texts; what was not had is null."""
    first = result.first_divergence
    return {
        "parity": bool(result),
        "failures": list(result.failures),
        "notes": list(result.notes),
        "first_divergence": None if first is None else first.name,
        "faulty": [layer.name for layer in result.faulty],
        "tol": result.tol,
        "tol64": result.tol64,
        "precisions": list(result.precisions),
        "counts": result.counts(),
        "layers": [_layer(layer) for layer in result.layers],
        "torch_only": [asdict(call) for call in result.torch_only],
        "paddle_only": [asdict(call) for call in result.paddle_only],
        "assumed": [asdict(pair) for pair in result.assumed],
        "never_called": list(result.never_called),
        "weights": [asdict(difference) for difference in result.weights],
        "diagnosis": [asdict(found) for found in result.diagnosis],
    }


def _layer(layer: LayerResult) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "paddle_kind": layer.paddle_kind,
        "call": layer.call,
        "state": layer.state.value,
        "reason": layer.reason,
        "error32": layer.error32,
        "error64": layer.error64,
        "phase": layer.phase,
        "own_state": layer.own_state.value if layer.own_state else None,
        "own32": layer.own32,
        "own64": layer.own64,
        "between": str(layer.between) if layer.between else None,
        "floors": [asdict(floor) for floor in layer.floors],
        "tensors": [_tensor(tensor) for tensor in layer.tensors],
    }


def _tensor(tensor: TensorResult) -> dict[str, Any]:
    single, double = tensor.single, tensor.double
    return {
        "slot": tensor.slot,
        "shape": list(tensor.shape),
        "state": tensor.verdict.state.value,
        "reason": tensor.verdict.reason,
        "error32": single.error if single else None,
        "error64": double.error if double else None,
    }
