"""`check_parity`: run both networks on the same inputs and give every layer its verdict.

Both networks are copied and cast for each precision; the caller's own are only read.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from converters import RefusedError
from converters.files import scratch_folder
from parity.amplified import excused
from parity.arguments import as_arguments
from parity.asked import Asked
from parity.axes import inside_what_agrees
from parity.backends import require, unwrapped
from parity.diagnose import diagnosed
from parity.isolate import isolated, wanted
from parity.losses import check_losses
from parity.passes import Carried, Passes
from parity.precision import PRECISIONS, TOLERANCE, TOLERANCE_FLOAT64
from parity.progress import doing
from parity.regroup import regrouped
from parity.reorder import could_be_reordered, in_another_order
from parity.restore import random_numbers_restored
from parity.result import ParityResult
from parity.structure import structure_of
from parity.training.run import STEPS
from parity.versions import described, versions

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from parity.losses import Losses
    from parity.renaming import Rename
    from parity.training import Training


@random_numbers_restored()
def check_parity(
    torch_module: Any,
    paddle_layer: Any,
    inputs: Any,
    *,
    tol: float = TOLERANCE,
    checks: Sequence[str] = ("forward",),
    precision: Literal["float32", "float64", "both"] = "both",
    rename: Rename | None = None,
    transfer: bool = True,
    converted: str | os.PathLike[str] | None = None,
    tol64: float = TOLERANCE_FLOAT64,
    isolation: Literal["auto", "always", "never"] = "auto",
    store: Literal["memory", "disk"] = "memory",
    cotangent: Literal["random", "loss"] = "random",
    losses: Losses | None = None,
    training: Training | None = None,
    steps: int = STEPS,
) -> ParityResult:
    """Check that a paddle network computes what a torch network computes, layer by layer.

    Args:
        torch_module: The network that is right by definition.
        paddle_layer: The network that is to agree with it.
        inputs: One array or tensor, a tuple or list of them, or a mapping from arguments' names.
        tol: Bound of the float32 error, relative to the layer's largest value.
        checks: What to check. 'forward': what every call returns. 'backward': that, and the
            gradients by what every call returned, by the inputs and by every parameter, from
            seeded cotangents for all floating outputs. 'loss': both losses on identical outputs
            and labels. 'train': both networks trained, and compared after each step, each step
            also alone, started from torch's state.
        precision: 'both' separates rounding from meaning; 'float32' alone cannot.
        rename: Torch path prefix to paddle path prefix, where the two name a layer differently;
            or rules for keys, from `converters.user_rules.read_rules`. What is not said is found
            out where there is only one way to do it, and listed as `assumed`.
        transfer: Run paddle's network with torch's weights, carried over by the
            converter. False takes its own weights as they stand, and lists which of them are not
            what the converter would have written: the way to test somebody's own conversion. Own
            weights that are all the converter's, bit for bit, count as unrounded in float64: what
            float32 took from a folded scale (6e-8) is no difference in meaning.
        converted: A converted file, the one that a training will read, to compare bit for bit
            with the conversion.
        tol64: Bound of the float64 error.
        isolation: When to measure each layer's own error, computed from torch's values, beside
            the inherited one: 'auto' does where something is no match; of gradients, where one
            fails and the forward pass agrees.
        store: 'memory' runs both networks side by side and keeps nothing; 'disk' runs torch's first
            and keeps its run in a temporary file, so that the two are never in memory together.
        cotangent: Where gradients start: 'random' from seeded cotangents, in evaluation mode;
            'loss' from the training's real loss, in training mode, on its first batch.
        losses: What the check 'loss' compares, and on what.
        training: What the check 'train' does with both networks.
        steps: How many steps it makes.

    Returns:
        A result that is true only when everything passed and something was compared. Weights
        that the converter refuses make a false one that lists the converter's reasons.

    Raises:
        ValueError: An unknown choice; losses or a training are missing.
        converters.InputError: The converter knows no rule for a layer, or cannot read a file.
        TypeError: The networks are not a torch Module and a paddle Layer, in this order.
        NetworkError: A network's forward raised, or it cannot be copied.
    """
    asked = Asked(
        checks=checks,
        precision=precision,
        isolation=isolation,
        store=store,
        cotangent=cotangent,
        losses=losses,
        training=training,
        steps=steps,
    )
    require(torch_module, "torch")
    require(paddle_layer, "paddle")
    ours, theirs = unwrapped(torch_module), unwrapped(paddle_layer)
    arrays = as_arguments(inputs)
    structure = structure_of(ours, theirs, arrays, rename)
    weights = Carried(ours, theirs, structure, transfer, converted)
    with _folder(store) as folder:
        precisions = PRECISIONS[precision]
        passes = Passes(weights, arrays, structure.rename, tol, tol64, precisions, folder)
        return _checked(passes, asked)


@contextmanager
def _folder(store: str) -> Iterator[Path | None]:
    if store == "memory":
        yield None
        return
    with scratch_folder("stdc-parity") as folder:
        yield folder


def _checked(passes: Passes, asked: Asked) -> ParityResult:
    """Make the checks that were asked for, and look for the causes of what fails."""
    training = asked.training
    if asked.cotangent == "loss" and training is not None:
        passes = passes.from_loss(training)
    try:
        with passes.alike():
            passes, result = _compared(passes, backward=asked.backward)
        result = _trained(passes, _with_losses(passes, result, asked), asked)
        result = _accounted(passes, result, asked)
    except RefusedError as refusal:
        # Weights that cannot all be accounted for are a verdict, not an accident.
        return diagnosed(_refused(passes, refusal), passes)
    if wanted(asked.isolation, result):
        with passes.alike():
            with doing("own errors"):
                result = isolated(result, passes.sources, passes.rename)
            result = excused(result, passes)
    if asked.backward and asked.isolation != "never":
        with passes.alike():
            result = _with_own_gradients(passes, result, asked)
    with doing("looking for causes"):
        return diagnosed(result, passes, training, asked.losses)


def _with_own_gradients(passes: Passes, result: ParityResult, asked: Asked) -> ParityResult:
    """Measure gradients from torch's behind them; only where the forward pass agrees."""
    forward = all(x.state.passes for x in result.layers if x.phase == "forward")
    backward = [x.state for x in result.layers if x.phase == "backward"]
    states = [*backward, *(x.state for x in result.gradients)]
    failing = not all(state.passes for state in states)
    if forward and (failing or asked.isolation == "always"):
        return passes.own_gradients(result)
    return result


def _with_losses(passes: Passes, result: ParityResult, asked: Asked) -> ParityResult:
    if asked.losses is None or "loss" not in asked.checks:
        return result
    bounds = {"tol": passes.tol, "tol64": passes.tol64}
    with doing("losses"):
        return replace(result, losses=check_losses(asked.losses, passes.precisions, **bounds))


def _trained(passes: Passes, result: ParityResult, asked: Asked) -> ParityResult:
    if asked.training is None or "train" not in asked.checks:
        return result
    made, said = passes.train(asked.training, asked.steps)
    return replace(result, steps=made, notes=(*result.notes, *said))


def _accounted(passes: Passes, result: ParityResult, asked: Asked) -> ParityResult:
    """Add what was compared, and how."""
    found, notes = passes.weights.differences()
    return replace(
        result,
        weights=found,
        notes=(*result.notes, *notes),
        versions=versions(),
        inputs=described(passes.inputs),
        assumed=(*passes.weights.structure.assumed, *in_another_order(passes.numbers)),
        checks=tuple(dict.fromkeys(asked.checks)),
    )


def _refused(passes: Passes, refusal: RefusedError) -> ParityResult:
    structure = passes.weights.structure
    return ParityResult(
        (),
        torch_only=structure.torch_only,
        paddle_only=structure.paddle_only,
        assumed=structure.assumed,
        problems=refusal.problems,
        tol=passes.tol,
        tol64=passes.tol64,
    )


def _compared(passes: Passes, *, backward: bool) -> tuple[Passes, ParityResult]:
    """Compare both networks; once more where calls, axes or layers turn out to lie otherwise."""
    result = passes.compared(backward=backward)
    if could_be_reordered(result) and (other := passes.reordered()) is not passes:
        passes, result = other, other.compared(backward=backward)
    inner = inside_what_agrees(result)
    if inner and (turned := passes.permuted(inner)) is not passes:
        passes, result = turned, turned.compared(backward=backward)
    group = regrouped(result, passes)
    if group is not None:
        passes = group.apart(passes)
        result = group.accounted(passes.compared(backward=backward))
    return passes, result
