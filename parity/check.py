"""`check_parity`: run both networks on the same inputs and give every layer its verdict.

Both networks are copied and cast for each precision; the caller's own are only read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from converters import ConverterError, RefusedError
from parity import weights as crossing
from parity.arguments import as_arguments
from parity.assemble import assemble, map_bounds
from parity.backends import FloatType, require, unwrapped
from parity.isolate import ISOLATION, isolated, wanted
from parity.precision import PRECISIONS, TOLERANCE, TOLERANCE_FLOAT64
from parity.result import ParityResult
from parity.runs import compare_runs
from parity.source import LiveRun, copy_as
from parity.structure import Structure, structure_of
from parity.versions import described, versions

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import numpy as np

CHECKS = ("forward",)


def check_parity(
    torch_module: Any,
    paddle_layer: Any,
    inputs: Any,
    *,
    tol: float = TOLERANCE,
    checks: Sequence[str] = CHECKS,
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
        inputs: One array or tensor, a tuple or list of them, or a mapping from arguments' names.
        tol: Bound of the float32 error, relative to the layer's largest value.
        checks: What to check; only 'forward' exists.
        precision: 'both' separates rounding from meaning; 'float32' alone cannot.
        rename: Torch path prefix to paddle path prefix, where the two name a layer differently.
        transfer: Run paddle's network with torch's weights, carried over by the
            converter. False takes its own weights as they stand, and lists which of them are not
            what the converter would have written: the way to test somebody's own conversion. Own
            weights that are all the converter's, bit for bit, count as unrounded in float64: what
            float32 took from a folded scale (6e-8) is no difference in meaning.
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
    ours, theirs = unwrapped(torch_module), unwrapped(paddle_layer)
    arrays = as_arguments(inputs)
    structure = structure_of(ours, theirs, arrays, rename or {})
    weights = _Weights(ours, theirs, structure, transfer, converted)
    bounds = map_bounds(PRECISIONS[precision], tol, tol64)
    try:
        runs = {
            dtype: compare_runs(
                *(LiveRun(network, arrays, dtype) for network in weights.copies(dtype)),
                rename=structure.rename,
                bound=bounds[dtype],
            )
            for dtype in PRECISIONS[precision]
        }
        found, notes = weights.differences()
    except RefusedError as refusal:
        # Weights that cannot all be accounted for are a verdict, not an accident.
        refused = ParityResult(
            (),
            torch_only=structure.torch_only,
            paddle_only=structure.paddle_only,
            assumed=structure.assumed,
            problems=refusal.problems,
            tol=tol,
            tol64=tol64,
        )
        return _diagnosed(refused, weights, arrays)
    result = assemble(
        runs,
        weights=found,
        notes=notes,
        tol=tol,
        tol64=tol64,
        versions=versions(),
        inputs=described(arrays),
    )
    result = replace(result, assumed=structure.assumed)
    if wanted(isolation, result):
        result = isolated(result, weights.copies, arrays, structure.rename)
    return _diagnosed(result, weights, arrays)


def _diagnosed(result: ParityResult, weights: _Weights, inputs: tuple[Any, ...]) -> ParityResult:
    """Look for causes where something failed; with the right weights, as far as there are any."""
    if result:
        return result
    from parity.diagnose import Patient, diagnose

    right = weights.right()
    carried = weights if right is None else replace(weights, carried=True)
    patient = Patient(
        weights.torch_module,
        weights.paddle_layer,
        inputs,
        weights.structure.rename,
        right if result.weights else None,
        crossing.paddle_arrays(weights.paddle_layer),
        carried.copies,
    )
    faults = result
    if result.weights and right is not None:
        faults = isolated(result, carried.copies, inputs, weights.structure.rename)
    return replace(result, diagnosis=list(diagnose(faults, patient)))


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
    structure: Structure
    carried: bool
    converted: str | os.PathLike[str] | None

    def copies(self, dtype: FloatType) -> tuple[Any, Any]:
        """Copy both networks in a precision and give paddle's its weights."""
        torch_copy = copy_as(self.torch_module, dtype)
        paddle_copy = copy_as(self.paddle_layer, dtype)
        if self.carried or self._own_are_converted:
            crossing.load(paddle_copy, self._converted(torch_copy, paddle_copy))
        return torch_copy, paddle_copy

    @cached_property
    def _own_are_converted(self) -> bool:
        # Then float64 may have the conversion's values, which rounding to float32 took from them.
        found, notes = self.differences()
        return not found and not notes and self.converted is None

    def right(self) -> dict[str, np.ndarray] | None:
        """Convert the caller's weights; None where the converter cannot."""
        try:
            return self._converted(self.torch_module, self.paddle_layer)
        except ConverterError:
            return None

    def _converted(self, torch_module: Any, paddle_layer: Any) -> dict[str, np.ndarray]:
        return crossing.transfer(
            torch_module,
            paddle_layer,
            self.structure.key_rename,
            leave_out=self.structure.left_out,
            keep=self.structure.kept,
        )

    def differences(self) -> tuple[tuple[crossing.WeightDifference, ...], tuple[str, ...]]:
        """Compare the caller's own weights, or the converted file, with the conversion.

        Returns:
            The differences, and why they could not be had where the converter does not know the
            network: whoever brings weights of their own needs no converter.
        """
        if self.carried and self.converted is None:
            return (), ()
        try:
            expected = self._converted(self.torch_module, self.paddle_layer)
        except ConverterError as error:
            return (), (f"weights were not compared with a conversion: {error}",)
        if self.converted is not None:
            return crossing.differences(expected, crossing.read_file(self.converted)), ()
        return crossing.differences(expected, crossing.paddle_arrays(self.paddle_layer)), ()
