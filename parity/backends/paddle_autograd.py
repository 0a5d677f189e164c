"""Paddle's way backward; `torch_autograd.py` is its mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import paddle

from parity.backends.paddle_backend import PaddleBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class PaddleAutograd:
    """See `parity.backends.autograd.Autograd`."""

    def __init__(self) -> None:
        """Start without any gradient."""
        self._backend = PaddleBackend()
        self._error: BaseException | None = None

    def leaf(self, tensor: paddle.Tensor) -> paddle.Tensor:
        """Let a floating tensor collect its gradient."""
        tensor.stop_gradient = not tensor.is_floating_point()
        return tensor

    def copied(self, leaf: paddle.Tensor) -> paddle.Tensor:
        """Give a tensor that is not the leaf itself."""
        return leaf.clone()

    def flows(self, tensor: paddle.Tensor) -> bool:
        """Tell whether a gradient can flow through a tensor."""
        return not tensor.stop_gradient

    def watch(self, tensor: paddle.Tensor, act: Callable[[np.ndarray], np.ndarray | None]) -> None:
        """Call `act(gradient)` when a tensor's whole gradient is known."""

        def hook(gradient: paddle.Tensor) -> paddle.Tensor | None:
            # A tensor that nothing was made of comes with a gradient that holds no memory.
            if self._error is not None or not gradient._is_initialized():  # noqa: SLF001
                return None
            try:
                instead = act(self._backend.view(gradient))
            except BaseException as error:  # noqa: BLE001 - raised again by `backward`
                # Through paddle's engine it would come out as an OSError with a C++ trace.
                self._error = error
                return None
            return None if instead is None else self._backend.like(gradient, instead)

        tensor.register_hook(hook)

    def backward(self, tensors: Sequence[paddle.Tensor], cotangents: Sequence[np.ndarray]) -> None:
        """Run backward from some tensors."""
        paddle.autograd.backward(
            list(tensors),
            [self._backend.like(*pair) for pair in zip(tensors, cotangents, strict=True)],
        )
        if self._error is not None:
            raise self._error

    def gradient(self, leaf: paddle.Tensor) -> np.ndarray | None:
        """Give a leaf's gradient."""
        found = leaf.grad
        if found is None:
            return None
        if found.is_dense():
            return self._backend.view(found)
        # A sparse embedding's gradient lists rows, some of them several times.
        dense = np.zeros(leaf.shape, str(leaf.dtype).rpartition(".")[2])
        np.add.at(dense, found.rows(), found.numpy())
        return dense

    def tensors(self, network: paddle.nn.Layer) -> Iterator[tuple[str, paddle.Tensor]]:
        """Yield every parameter and buffer under every one of its names."""
        # Paddle's named_parameters leaves out second names.
        yield from network.state_dict().items()

    def trains(self, parameter: paddle.Tensor) -> bool:
        """Tell whether a parameter is to be trained."""
        return not parameter.stop_gradient

    def forget(self, network: paddle.nn.Layer) -> None:
        """Drop the gradients by all parameters of a network."""
        for parameter in network.parameters():
            parameter.clear_gradient(False)

    def states(self, optimizer: Any, parameter: paddle.Tensor) -> dict[str, paddle.Tensor]:
        """Give the tensors that an optimizer keeps for a parameter."""
        kept = optimizer._accumulators  # noqa: SLF001 - a state dict joins names that cannot be parted
        found = {name: tensors.get(parameter.name) for name, tensors in kept.items()}
        return {
            name: value
            for name, value in found.items()
            if value is not None and value.shape == parameter.shape
        }
