"""Both losses of a training on what torch's network returns in its first step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parity.arguments import as_arguments, split
from parity.backends import backend_of
from parity.causes.gradients.examine import of_training
from parity.causes.losses import examine as causes
from parity.losses import LossCase, Losses
from parity.masks import same_masks
from parity.nested import flatten, rebuilt
from parity.running import as_dtype, exact_kernels
from parity.source import copy_as
from parity.training.side import is_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from parity.backends import FloatType
    from parity.passes import Carried
    from parity.result import Diagnosis
    from parity.training import Training


def examine(weights: Carried, training: Training, dtype: FloatType) -> list[Diagnosis]:
    """Find out what is wrong with paddle's loss.

    Args:
        weights: Makes copies of the networks.
        training: What was done with them.
        dtype: The precision.
    """
    inputs, *labels = training.batches[0]
    networks = of_training(weights, training, dtype, {}).networks()
    outputs = [_outputs(network, inputs, dtype) for network in networks]
    backends = [backend_of(network) for network in networks]
    slots = [
        [slot for slot, _ in flatten(output, backend.is_tensor)]
        for output, backend in zip(outputs, backends, strict=True)
    ]
    if len(slots[0]) != len(slots[1]):
        return []
    arrays = [backends[0].view(t) for _, t in flatten(outputs[0], backends[0].is_tensor)]
    ours, theirs = (
        _taking(loss, output, names, backend.is_tensor)
        for loss, output, names, backend in zip(
            _losses(training, dtype), outputs, slots, backends, strict=True
        )
    )
    case = LossCase("the first step's outputs", tuple(arrays), as_arguments(tuple(labels)))
    return causes.examine(Losses(ours, theirs, [case]), dtype)


def _losses(training: Training, dtype: FloatType) -> list[Callable[..., Any]]:
    both = training.torch_loss, training.paddle_loss
    return [copy_as(loss, dtype) if is_network(loss) else loss for loss in both]


def _outputs(network: Any, inputs: Any, dtype: FloatType) -> Any:
    """Run a network in training mode."""
    backend, arguments = backend_of(network), as_arguments(inputs)
    tensors = tuple(backend.argument(network, as_dtype(x, dtype)) for x in arguments)
    positional, named = split(tensors, arguments.names)
    exact = exact_kernels(network, dtype, lambda: lambda _: None)
    with backend.running(network, dtype, training=True), exact, same_masks():
        return network(*positional, **named)


def _taking(
    loss: Callable[..., Any], output: Any, slots: list[str], is_tensor: Callable[[Any], bool]
) -> Callable[..., Any]:
    """Let a loss that takes what a network returns take its tensors."""

    def taking(outputs: Any, *labels: Any) -> Any:
        tensors = outputs if isinstance(outputs, tuple) else (outputs,)
        return loss(rebuilt(output, is_tensor, dict(zip(slots, tensors, strict=True))), *labels)

    return taking
