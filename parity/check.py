"""`check_parity`: run both networks on the same inputs and give every layer its verdict.

Both networks are copied and cast for each precision; the caller's own are only read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from converters import ConverterError, RefusedError
from parity import weights as crossing
from parity.assemble import assemble, map_bounds
from parity.backends import FloatType, require
from parity.backward import Backward, random_cotangent
from parity.gradient_verdicts import BackwardErrors, with_gradients
from parity.gradients import compare_through
from parity.inputs import as_arrays
from parity.isolate import ISOLATION, isolated, wanted
from parity.parameter_gradients import parameter_errors
from parity.precision import PRECISIONS, TOLERANCE, TOLERANCE_FLOAT64
from parity.result import ParityResult
from parity.runs import compare_runs
from parity.source import LiveRun, copy_as

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import numpy as np

    from parity.runs import RunErrors

CHECKS = ("forward", "backward")
DEFAULT_CHECKS = ("forward",)


def check_parity(
    torch_module: Any,
    paddle_layer: Any,
    inputs: Any,
    *,
    tol: float = TOLERANCE,
    checks: Sequence[str] = DEFAULT_CHECKS,
    precision: Literal["float32", "float64", "both"] = "both",
    rename: Mapping[str, str] | None = None,
    transfer: bool = True,
    converted: str | os.PathLike[str] | None = None,
    tol64: float = TOLERANCE_FLOAT64,
    isolation: Literal["auto", "always", "never"] = "auto",
) -> ParityResult:
    """Check that a paddle network computes what a torch network computes, layer by layer.

    Args:
        torch_module: The network that is right by definition.
        paddle_layer: The network that is to agree with it.
        inputs: One array or tensor, or a tuple or list of them: the positional arguments.
        tol: Bound of the float32 error, relative to the layer's largest value.
        checks: What to check. 'forward': what every call returns. 'backward': that, and the
            gradients by what every call returned, by the inputs and by every parameter, from
            seeded cotangents for all floating outputs.
        precision: 'both' separates rounding from meaning; 'float32' alone cannot.
        rename: Torch path prefix to paddle path prefix, where the two name a layer differently.
        transfer: Run paddle's network with torch's weights, carried over by the
            converter. False takes its own weights as they stand, and lists which of them are not
            what the converter would have written: the way to test somebody's own conversion.
        converted: A converted file, the one that a training will read, to compare bit for bit
            with the conversion.
        tol64: Bound of the float64 error.
        isolation: When to measure each layer's own error, computed from torch's values, beside
            the inherited one: 'auto' does where something is no match.

    Returns:
        A result that is true only when everything passed and something was compared. Weights
        that the converter refuses make a false one that lists the converter's reasons.

    Raises:
        ValueError: An unknown check, precision or isolation.
        converters.InputError: The converter knows no rule for a layer, or cannot read a file.
        TypeError: The networks are not a torch Module and a paddle Layer, in this order.
        NetworkError: A network's forward raised, or it cannot be copied.
    """
    _refuse_unknown(checks, precision, isolation)
    require(torch_module, "torch")
    require(paddle_layer, "paddle")
    arrays = as_arrays(inputs)
    names = dict(rename or {})
    weights = _Weights(torch_module, paddle_layer, names, transfer, converted)
    runs = _Runs(weights, arrays, names, tol, tol64)
    try:
        result = runs.backward(precision) if "backward" in checks else runs.forward(precision)
        found, notes = weights.differences()
    except RefusedError as refusal:
        # Weights that cannot all be accounted for are a verdict, not an accident.
        return ParityResult((), problems=refusal.problems, tol=tol, tol64=tol64)
    result = replace(
        result, weights=found, notes=(*result.notes, *notes), checks=tuple(dict.fromkeys(checks))
    )
    return isolated(result, weights.copies, arrays, names) if wanted(isolation, result) else result


@dataclass(frozen=True)
class _Runs:
    """Runs the networks in each precision and puts the verdicts together."""

    weights: _Weights
    inputs: tuple[np.ndarray, ...]
    rename: Mapping[str, str]
    tol: float
    tol64: float

    def forward(self, precision: str) -> ParityResult:
        """Run forward only."""
        bounds = map_bounds(PRECISIONS[precision], self.tol, self.tol64)
        runs = {
            dtype: compare_runs(
                *self._sources(self.weights.copies(dtype), dtype),
                rename=self.rename,
                bound=bounds[dtype],
            )
            for dtype in PRECISIONS[precision]
        }
        return assemble(runs, tol=self.tol, tol64=self.tol64)

    def backward(self, precision: str) -> ParityResult:
        """Run forward and on into the backward pass."""
        bounds = map_bounds(PRECISIONS[precision], self.tol, self.tol64)
        forward: dict[FloatType, RunErrors] = {}
        gradients: dict[FloatType, BackwardErrors] = {}
        for dtype in PRECISIONS[precision]:
            networks = self.weights.copies(dtype)
            forward[dtype], outputs = compare_through(
                *self._sources(networks, dtype),
                Backward(random_cotangent()),
                rename=self.rename,
                bound=bounds[dtype],
            )
            before = gradients.get("float32")
            parameters = parameter_errors(
                networks,
                dtype,
                self.rename,
                outputs,
                before.parameters if before else None,
                tol=self.tol,
            )
            gradients[dtype] = BackwardErrors(outputs, parameters)
        result = assemble(forward, tol=self.tol, tol64=self.tol64)
        return with_gradients(result, gradients, tol=self.tol, tol64=self.tol64)

    def _sources(self, networks: tuple[Any, Any], dtype: FloatType) -> tuple[LiveRun, LiveRun]:
        return LiveRun(networks[0], self.inputs, dtype), LiveRun(networks[1], self.inputs, dtype)


def _refuse_unknown(checks: Sequence[str], precision: str, isolation: str) -> None:
    unknown = [check for check in checks if check not in CHECKS]
    if unknown or not checks:
        raise ValueError(f"checks {list(checks)}: only {', '.join(CHECKS)} exist")
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    if isolation not in ISOLATION:
        raise ValueError(f"isolation {isolation!r}: expected one of {', '.join(ISOLATION)}")


@dataclass(frozen=True)
class _Weights:
    """Decides whose weights the paddle copy runs with."""

    torch_module: Any
    paddle_layer: Any
    rename: Mapping[str, str]
    carried: bool
    converted: str | os.PathLike[str] | None

    def copies(self, dtype: FloatType) -> tuple[Any, Any]:
        """Copy both networks in a precision and give paddle's its weights."""
        torch_copy = copy_as(self.torch_module, dtype)
        paddle_copy = copy_as(self.paddle_layer, dtype)
        if self.carried:
            tensors = crossing.transfer(torch_copy, paddle_copy, self.rename)
            crossing.load(paddle_copy, tensors)
        return torch_copy, paddle_copy

    def differences(self) -> tuple[tuple[crossing.WeightDifference, ...], tuple[str, ...]]:
        """Compare the caller's own weights, or the converted file, with the conversion.

        Returns:
            The differences, and why they could not be had where the converter does not know the
            network: whoever brings weights of their own needs no converter.
        """
        if self.carried and self.converted is None:
            return (), ()
        try:
            expected = crossing.transfer(self.torch_module, self.paddle_layer, self.rename)
        except ConverterError as error:
            return (), (f"weights were not compared with a conversion: {error}",)
        if self.converted is not None:
            return crossing.differences(expected, crossing.read_file(self.converted)), ()
        return crossing.differences(expected, crossing.paddle_arrays(self.paddle_layer)), ()
