"""Both frameworks' losses on identical outputs and labels: values, and gradients by the outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

from parity.compare import TensorError, tensor_error
from parity.comparison import LossResult, TensorComparison
from parity.gradients import alone
from parity.inputs import IGNORED, random_labels
from parity.precision import judge
from parity.training.plan import loss_parts

if TYPE_CHECKING:
    from parity.backends import FloatType
    from parity.comparison import Kind
    from parity.training.plan import Loss


@dataclass(frozen=True)
class LossCase:
    """One batch of outputs and labels.

    Attributes:
        name: What is special about it, for people.
        outputs: What the network would return; one alone is passed as it is, several as a tuple.
        labels: The loss's other arguments.
    """

    name: str
    outputs: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Losses:
    """Two losses and what they are given.

    Attributes:
        torch: Torch's; see `parity.training.plan.Loss`.
        paddle: Paddle's.
        cases: The batches; see `segmentation_cases`.
    """

    torch: Loss
    paddle: Loss
    cases: Sequence[LossCase]


def segmentation_cases(
    shapes: Sequence[tuple[int, ...]], size: tuple[int, int], classes: int, seed: int = 0
) -> tuple[LossCase, ...]:
    """Make batches that the usual losses of segmentation treat differently.

    Args:
        shapes: Of the outputs, (N, C, H, W).
        size: Height and width of the label map.
        classes: Labels are below it, or 255.
        seed: Of the draw.
    """
    random = np.random.default_rng([seed, classes, *size])
    labels = random_labels((shapes[0][0], *size), classes, seed)
    drawn = tuple(random.standard_normal(shape).astype(np.float32) for shape in shapes)
    valid = np.where(labels == IGNORED, 0, labels)
    few = np.full_like(labels, IGNORED)
    few[:, ::7, ::5] = valid[:, ::7, ::5]
    return (
        LossCase("labels with ignored patches", drawn, (labels,)),
        LossCase("no ignored labels", drawn, (valid,)),
        LossCase("few valid pixels", drawn, (few,)),
        LossCase("easy pixels", tuple(_sure(x, valid) for x in drawn), (valid,)),
        # Not larger: where outputs differ by more than 64 Paddle's cross-entropy is cut off there.
        LossCase("large outputs", tuple(x * 5 for x in drawn), (labels,)),
        LossCase("ignored labels only", drawn, (np.full_like(labels, IGNORED),)),
    )


def _sure(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Raise the right class, where the outputs are class maps of the labels' size."""
    if outputs.shape[2:] != labels.shape[1:] or outputs.shape[1] <= labels.max():
        return outputs
    right = np.eye(outputs.shape[1], dtype=outputs.dtype)[labels].transpose(0, 3, 1, 2)
    return outputs + 8 * right


def check_losses(
    losses: Losses, precisions: Sequence[FloatType], *, tol: float, tol64: float
) -> tuple[LossResult, ...]:
    """Compare two losses on every case.

    Args:
        losses: The losses and the cases.
        precisions: In which to compute them.
        tol: Bound of the float32 error.
        tol64: Bound of the float64 error.

    Raises:
        NetworkError: A loss raised.
    """
    results = []
    for case in losses.cases:
        runs = {dtype: _errors(losses, case, dtype) for dtype in precisions}
        results.append(LossResult(case.name, tuple(_judged(runs, tol, tol64))))
    return tuple(results)


Errors = dict[tuple["Kind", str], tuple[tuple[int, ...], TensorError]]


def _judged(
    runs: Mapping[FloatType, Errors], tol: float, tol64: float
) -> Iterator[TensorComparison]:
    single, double = runs.get("float32", {}), runs.get("float64", {})
    for key, (shape, _) in (double or single).items():
        in32, in64 = (side[key][1] if key in side else None for side in (single, double))
        verdict = judge(in32, in64, tol=tol, tol64=tol64)
        yield TensorComparison(key[1], key[0], shape, in32, in64, verdict)


def _errors(losses: Losses, case: LossCase, dtype: FloatType) -> Errors:
    ours, theirs = on_torch(losses.torch, case, dtype), on_paddle(losses.paddle, case, dtype)
    values = ours[0], theirs[0]
    if len(values[0]) == len(values[1]) == 1:
        values = values[0], dict(zip(values[0], values[1].values(), strict=True))
    found: Errors = {}
    for name in values[0] | values[1]:
        found["loss", name] = (), _value_error(values[0].get(name), values[1].get(name))
    for place, (a, b) in enumerate(zip(ours[1], theirs[1], strict=True)):
        if a is not None or b is not None:
            shape = case.outputs[place].shape
            found["gradient", f"output {place}"] = shape, _gradient_error(a, b)
    return found


def _value_error(ours: np.ndarray | None, theirs: np.ndarray | None) -> TensorError:
    if ours is None or theirs is None:
        side = "paddle" if ours is None else "torch"
        return TensorError(None, 0.0, fault=f"only {side}'s loss has this part")
    return tensor_error(ours.reshape(()), theirs.reshape(()))


def _gradient_error(ours: np.ndarray | None, theirs: np.ndarray | None) -> TensorError:
    if ours is None:
        return alone(np.asarray(theirs), "torch").error
    return alone(ours, "paddle").error if theirs is None else tensor_error(ours, theirs)


#: The values of a loss, and its gradients by the outputs.
Found = tuple[dict[str, np.ndarray], list["np.ndarray | None"]]


def on_torch(loss: Any, case: LossCase, dtype: FloatType) -> Found:
    """Compute torch's loss on a case, and its gradients by the outputs.

    Raises:
        NetworkError: It raised.
    """
    import torch

    holder = torch.nn.Module()
    return _run(holder, loss, case, dtype)


def on_paddle(loss: Any, case: LossCase, dtype: FloatType) -> Found:
    """Compute paddle's loss on a case; see `on_torch`."""
    import paddle

    with _nll_guard():
        return _run(paddle.nn.Layer(), loss, case, dtype)


def _run(holder: Any, loss: Any, case: LossCase, dtype: FloatType) -> Found:
    """Compute a loss and its gradients; the holder is an empty network of its framework."""
    from parity.backends import backend_of
    from parity.backends.autograd import autograd_of
    from parity.running import as_dtype, exact_kernels, explained
    from parity.source import copy_as
    from parity.training.side import is_network

    backend, autograd = backend_of(holder), autograd_of(holder)
    function = copy_as(loss, dtype) if is_network(loss) else loss
    leaves = [autograd.leaf(backend.from_numpy(as_dtype(x, dtype))) for x in case.outputs]
    labels = [backend.from_numpy(as_dtype(array, dtype)) for array in case.labels]
    with (
        backend.running(holder, dtype, gradients=True, training=True),
        exact_kernels(holder, dtype, lambda: lambda _: None),
        explained(holder, None, f"its loss on {case.name!r}"),
    ):
        given = tuple(autograd.copied(leaf) for leaf in leaves)
        parts = loss_parts(function(given if len(given) > 1 else given[0], *labels))
        total = next(iter(parts.values()))
        if autograd.flows(total):
            autograd.backward([total], [np.ones(tuple(total.shape), dtype)])
    values = {name: backend.view(part).copy() for name, part in parts.items()}
    return values, [autograd.gradient(leaf) for leaf in leaves]


@contextmanager
def _nll_guard() -> Iterator[None]:
    """Refuse paddle's nll_loss on ignored labels only: on the CPU it corrupts memory."""
    from paddle import _C_ops as kernels

    real = kernels.nll_loss

    def guarded(x: Any, labels: Any, weight: Any, ignore_index: int, *rest: Any) -> Any:
        if bool((labels == ignore_index).all()):
            raise ValueError(
                "paddle's nll_loss corrupts memory on a batch with ignored labels only: test for "
                "it before the call"
            )
        return real(x, labels, weight, ignore_index, *rest)

    with mock.patch.object(kernels, "nll_loss", guarded):
        yield
