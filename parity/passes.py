"""The passes of a check: both networks copied in each precision, run, and judged together."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from converters import ConverterError
from parity import weights as crossing
from parity.arguments import as_arguments
from parity.assemble import assemble, map_bounds
from parity.axes import axes_between
from parity.backward import Backward
from parity.cotangents import loss_cotangent, random_cotangent
from parity.dump.spool import spooled
from parity.gradient_verdicts import BackwardErrors, with_gradients, with_own_gradients
from parity.gradients import compare_through
from parity.masks import same_masks
from parity.parameter_gradients import parameter_errors
from parity.precision import TOLERANCE_STEP
from parity.progress import doing
from parity.reorder import renumbered
from parity.runs import compare_runs
from parity.source import LiveRun, copy_as
from parity.training.run import train
from parity.training.sensitivity import sensitivity
from parity.training.verdicts import Tolerances, accumulated, deciding, judged_steps
from parity.turned import TurnedRun

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np

    from parity.axes import Axes
    from parity.backends import FloatType
    from parity.comparison import StepResult
    from parity.record import CallKey
    from parity.result import ParityResult
    from parity.runs import RunErrors
    from parity.source import Source
    from parity.structure import Structure
    from parity.training import Training


@dataclass(frozen=True)
class Carried:
    """Decides whose weights the paddle copy runs with.

    Attributes:
        torch_module: The caller's, only read.
        paddle_layer: The caller's, only read.
        structure: Which layers are partners.
        carried: Paddle runs with torch's weights, not with its own.
        converted: A converted file to compare with the conversion.
    """

    torch_module: Any
    paddle_layer: Any
    structure: Structure
    carried: bool
    converted: str | os.PathLike[str] | None

    @property
    def keys(self) -> crossing.Keys:
        """How torch's keys become paddle's."""
        found = self.structure
        return crossing.Keys(found.key_rename, found.left_out, found.kept, found.folded)

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
        keys = self.keys
        return crossing.transfer(
            torch_module,
            paddle_layer,
            keys.rename,
            leave_out=keys.leave_out,
            keep=keys.keep,
            folded=keys.folded,
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
            said = crossing.briefly(error)
            return (), (f"weights were not compared with a conversion: {said}",)
        if self.converted is not None:
            return crossing.differences(expected, crossing.read_file(self.converted)), ()
        return crossing.differences(expected, crossing.paddle_arrays(self.paddle_layer)), ()


@dataclass(frozen=True)
class Passes:
    """Runs the networks in each precision and puts the verdicts together.

    Attributes:
        weights: Makes the copies that run.
        inputs: The positional arguments of both networks.
        rename: Torch path to paddle path.
        tol: Bound of the float32 error.
        tol64: Bound of the float64 error.
        precisions: Which are run, in this order.
        folder: Where torch's run is kept while paddle's is compared with it; None: they go side by
            side, and nothing is kept.
        numbers: Torch's numbers of paddle's calls; see `parity.reorder`.
        axes: Paddle's tensors whose axes lie in another order; see `parity.axes`.
        learning: Run in training mode, and backward from this training's loss.
    """

    weights: Carried
    inputs: tuple[np.ndarray, ...]
    rename: Mapping[str, str]
    tol: float
    tol64: float
    precisions: Sequence[FloatType]
    folder: Path | None = None
    numbers: Mapping[CallKey, int] = field(default_factory=dict)
    axes: Axes | None = None
    learning: Training | None = None

    def from_loss(self, training: Training) -> Passes:
        """Go backward from a training's loss, on its first batch, instead of seeded cotangents.

        In training mode a norm over few values amplifies rounding: the bound is that of one step.
        """
        inputs, tol64 = as_arguments(training.batches[0][0]), max(self.tol64, TOLERANCE_STEP)
        return replace(self, inputs=inputs, learning=training, tol64=tol64)

    def alike(self) -> AbstractContextManager[None]:
        """Let dropout draw the same in both frameworks, where it draws at all."""
        return nullcontext() if self.learning is None else same_masks()

    def compared(self, *, backward: bool) -> ParityResult:
        """Run forward, and on into the backward pass if that is asked for."""
        result = self.backward() if backward else self.forward()
        return self.axes.noted(result) if self.axes is not None else result

    def forward(self) -> ParityResult:
        """Run forward only."""
        runs = {}
        for dtype, bound in self._bounds().items():
            with doing(dtype, "forward"):
                runs[dtype] = compare_runs(*self.sources(dtype), rename=self.rename, bound=bound)
        return assemble(runs, tol=self.tol, tol64=self.tol64)

    def backward(self) -> ParityResult:
        """Run forward and on into the backward pass."""
        forward: dict[FloatType, RunErrors] = {}
        gradients: dict[FloatType, BackwardErrors] = {}
        for dtype, bound in self._bounds().items():
            with doing(dtype, "forward and backward"):
                found = self._through(dtype, bound, gradients.get("float32"))
                forward[dtype], gradients[dtype] = found
        result = assemble(forward, tol=self.tol, tol64=self.tol64)
        return with_gradients(result, gradients, tol=self.tol, tol64=self.tol64)

    def own_gradients(self, result: ParityResult) -> ParityResult:
        """Add the gradients' own errors, each computed from torch's behind it.

        Args:
            result: Of `backward`; its forward pass agrees.
        """
        gradients: dict[FloatType, BackwardErrors] = {}
        for dtype, bound in self._bounds().items():
            with doing(dtype, "own errors of gradients"):
                single = gradients.get("float32")
                _, gradients[dtype] = self._through(dtype, bound, single, forced=True)
        return with_own_gradients(result, gradients, tol=self.tol, tol64=self.tol64)

    def _through(
        self, dtype: FloatType, bound: float, single: BackwardErrors | None, *, forced: bool = False
    ) -> tuple[RunErrors, BackwardErrors]:
        networks, backward = self.weights.copies(dtype), self.start(dtype)
        sources = self._sources(networks, dtype, backward)
        errors, outputs = compare_through(
            *sources, backward, rename=self.rename, bound=bound, forced=forced
        )
        parameters = parameter_errors(
            networks,
            dtype,
            self.weights.keys,
            outputs,
            single.parameters if single else None,
            tol=self.tol,
        )
        return errors, BackwardErrors(outputs, parameters)

    def start(self, dtype: FloatType) -> Backward:
        """Tell where to go backward from."""
        if self.learning is None:
            return Backward(random_cotangent())
        losses = {"torch": self.learning.torch_loss, "paddle": self.learning.paddle_loss}
        return Backward(loss_cotangent(losses, as_arguments(self.learning.batches[0][1:]), dtype))

    def train(
        self, training: Training, steps: int
    ) -> tuple[tuple[StepResult, ...], tuple[str, ...]]:
        """Train copies of both networks; give the steps and what is to be known."""
        runs = {}
        for dtype in self.precisions:
            with doing(dtype, "training"):
                networks, keys = self.weights.copies(dtype), self.weights.keys
                runs[dtype] = train(networks, training, dtype, keys=keys, steps=steps, tol=self.tol)
        bounds, dtype = Tolerances(self.tol), deciding(runs)
        if not accumulated(runs, bounds):
            return judged_steps(runs, (), bounds)
        with doing(dtype, "torch's own drift"):
            drift = sensitivity(self.weights.copies(dtype)[0], training, dtype, steps=steps)
        return judged_steps(runs, drift, bounds)

    def reordered(self) -> Passes:
        """Find out which calls are made in another order; without any, this itself."""
        dtype = self.precisions[0]
        ours, theirs = self.weights.copies(dtype)
        runs = self.live(ours, dtype), self.live(theirs, dtype)
        numbers = renumbered(*runs, self.rename)
        return replace(self, numbers=numbers) if numbers else self

    def permuted(self, wanted: Collection[CallKey]) -> Passes:
        """Find out which calls keep their axes in another order; without any, this itself."""
        ours, theirs = (self.live(network, "float64") for network in self.weights.copies("float64"))
        theirs = replace(theirs, numbers=self.numbers)
        axes = axes_between(ours, theirs, wanted, rename=self.rename, bound=self.tol64)
        return replace(self, axes=axes) if axes else self

    def _bounds(self) -> dict[FloatType, float]:
        bounds = map_bounds(self.precisions, self.tol, self.tol64)
        return {dtype: bounds[dtype] for dtype in self.precisions}

    def sources(self, dtype: FloatType) -> tuple[Source, Source]:
        """Make fresh runs of both networks in a precision, forward."""
        return self._sources(self.weights.copies(dtype), dtype)

    def _sources(
        self, networks: tuple[Any, Any], dtype: FloatType, backward: Backward | None = None
    ) -> tuple[Source, Source]:
        ours = self.live(networks[0], dtype)
        theirs: Source = replace(self.live(networks[1], dtype), numbers=self.numbers)
        if self.axes is not None:
            theirs = TurnedRun(theirs, self.axes)
        if self.folder is None:
            return ours, theirs
        return spooled(ours, self.folder / f"{dtype}.npz", backward), theirs

    def live(self, network: Any, dtype: FloatType) -> LiveRun:
        """Make a run of a network of one's own, in the precision."""
        return LiveRun(network, self.inputs, dtype, training=self.learning is not None)
