"""A parity result as plain values, for JSON; `schema.json` beside this file describes them."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.comparison import TensorComparison
    from parity.error_map import ErrorMap
    from parity.layer_result import LayerResult, TensorResult
    from parity.result import ParityResult

#: Raised when a key changes its meaning or goes; new keys alone leave it as it is.
SCHEMA_VERSION = 1


def schema() -> dict[str, Any]:
    """Read the JSON Schema (draft 2020-12) of `as_json`'s values."""
    text = resources.files("parity.report").joinpath("schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def as_json(result: ParityResult, title: str = "") -> dict[str, Any]:
    """Give a result as plain lists, dicts, numbers and texts; what was not had is null.

    Args:
        result: What the check found.
        title: What was compared.
    """
    first = result.first_divergence
    return {
        "schema": SCHEMA_VERSION,
        "title": title,
        "parity": bool(result),
        "failures": list(result.failures),
        "problems": list(result.problems),
        "notes": list(result.notes),
        "first_divergence": None if first is None else first.name,
        # Repeated calls share a name: this tells them apart.
        "first_divergence_at": None if first is None else _place(result, first),
        "faulty": [layer.name for layer in result.faulty],
        "diagnosis": [asdict(found) for found in result.diagnosis],
        "tol": result.tol,
        "tol64": result.tol64,
        "precisions": list(result.precisions),
        "versions": dict(result.versions),
        "inputs": list(result.inputs),
        "counts": result.counts(),
        "layers": [_layer(layer) for layer in result.layers],
        "torch_only": [asdict(call) for call in result.torch_only],
        "paddle_only": [asdict(call) for call in result.paddle_only],
        "assumed": [asdict(pair) for pair in result.assumed],
        "never_called": list(result.never_called),
        "weights": [asdict(difference) for difference in result.weights],
        "checks": list(result.checks),
        "gradients": _comparisons(result.gradients),
        "losses": [
            {"case": loss.case, "state": loss.state.value, "tensors": _comparisons(loss.tensors)}
            for loss in result.losses
        ],
        "steps": [
            {"step": step.step, "state": step.state.value, "tensors": _comparisons(step.tensors)}
            for step in result.steps
        ],
    }


def _place(result: ParityResult, wanted: LayerResult) -> int:
    return next(place for place, layer in enumerate(result.layers) if layer is wanted)


def _layer(layer: LayerResult) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "paddle_kind": layer.paddle_kind,
        "call": layer.call,
        "phase": layer.phase,
        "parent": list(layer.parent) if layer.parent else None,
        "state": layer.state.value,
        "reason": layer.reason,
        "error32": _finite(layer.error32),
        "error64": _finite(layer.error64),
        "own_state": layer.own_state.value if layer.own_state else None,
        "own32": _finite(layer.own32),
        "own64": _finite(layer.own64),
        "between": str(layer.between) if layer.between else None,
        "floors": [asdict(floor) for floor in layer.floors],
        "tensors": [_tensor(tensor) for tensor in layer.tensors],
        "inputs": [_tensor(tensor) for tensor in layer.inputs],
        "own": [_tensor(tensor) for tensor in layer.own],
    }


def _tensor(tensor: TensorResult) -> dict[str, Any]:
    single, double = tensor.single, tensor.double
    known = double or single
    return {
        "slot": tensor.slot,
        "shape": list(tensor.shape),
        "state": tensor.verdict.state.value,
        "reason": tensor.verdict.reason,
        "error32": _finite(single.error) if single else None,
        "error64": _finite(double.error) if double else None,
        "scale": _finite(known.scale) if known else None,
        "map": _map(tensor.where) if tensor.where else None,
    }


def _comparisons(tensors: tuple[TensorComparison, ...]) -> list[dict[str, Any]]:
    return [_comparison(tensor) for tensor in tensors]


def _comparison(tensor: TensorComparison) -> dict[str, Any]:
    known = tensor.double or tensor.single
    return {
        "name": tensor.name,
        "kind": tensor.kind,
        "shape": list(tensor.shape),
        "state": tensor.state.value,
        "reason": tensor.reason,
        "error32": _finite(tensor.error32),
        "error64": _finite(tensor.error64),
        "own32": _finite(tensor.own32),
        "own64": _finite(tensor.own64),
        "sensitivity": _finite(tensor.sensitivity),
        "scale": _finite(known.scale) if known else None,
    }


def _map(where: ErrorMap) -> dict[str, Any]:
    border = where.border
    return {
        "words": str(where),
        "size": list(where.size),
        "cell": where.cell,
        "share": where.share,
        "border": asdict(border)
        | {
            "error": _two_digits(border.error),
            "interior": _two_digits(border.interior),
        }
        if border
        else None,
        "cells": [[_two_digits(value) for value in row] for row in where.cells],
    }


def _finite(value: float | None) -> float | None:
    # JSON knows no infinity, and an error beyond all bounds is still a number to sort by.
    return None if value is None else min(value, sys.float_info.max)


def _two_digits(value: float) -> float | None:
    return float(f"{value:.1e}") if math.isfinite(value) else None
