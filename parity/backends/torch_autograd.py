"""Torch's way backward; `paddle_autograd.py` is its mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from parity.backends.torch_backend import TorchBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np


class TorchAutograd:
    """See `parity.backends.autograd.Autograd`."""

    def __init__(self) -> None:
        """Start without any gradient."""
        self._backend = TorchBackend()

    def leaf(self, tensor: torch.Tensor) -> torch.Tensor:
        """Let a floating tensor collect its gradient."""
        return tensor.requires_grad_() if tensor.is_floating_point() else tensor

    def copied(self, leaf: torch.Tensor) -> torch.Tensor:
        """Give a tensor that is not the leaf itself."""
        return leaf.clone()

    def flows(self, tensor: torch.Tensor) -> bool:
        """Tell whether a gradient can flow through a tensor."""
        return tensor.requires_grad

    def watch(self, tensor: torch.Tensor, act: Callable[[np.ndarray], np.ndarray | None]) -> None:
        """Call `act(gradient)` when a tensor's whole gradient is known."""
        told, shape = False, tensor.shape

        def hook(gradient: torch.Tensor) -> torch.Tensor | None:
            nonlocal told
            told = True
            instead = act(self._backend.view(gradient))
            return None if instead is None else self._backend.like(gradient, instead)

        def fallback(gradient: torch.Tensor) -> torch.Tensor | None:
            instead = None if told else hook(gradient.reshape(shape))
            return None if instead is None else instead.reshape(gradient.shape)

        tensor.register_hook(hook)
        base = tensor._base  # noqa: SLF001 - torch has no other name for it
        if base is not None and base.numel() == tensor.numel() and tensor.is_contiguous():
            # An in-place operation takes a view out of the graph, with its hook: what a Linear
            # makes of three axes is one. The gradient then goes on through what it is a view of.
            base.register_hook(fallback)

    def backward(self, tensors: Sequence[torch.Tensor], cotangents: Sequence[np.ndarray]) -> None:
        """Run backward from some tensors."""
        torch.autograd.backward(
            list(tensors),
            [self._backend.like(*pair) for pair in zip(tensors, cotangents, strict=True)],
        )

    def gradient(self, leaf: torch.Tensor) -> np.ndarray | None:
        """Give a leaf's gradient."""
        found = leaf.grad
        if found is None:
            return None
        return self._backend.view(found.to_dense() if found.is_sparse else found)

    def tensors(self, network: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield every parameter and buffer under every one of its names."""
        yield from network.state_dict(keep_vars=True).items()

    def trains(self, parameter: torch.Tensor) -> bool:
        """Tell whether a parameter is to be trained."""
        return parameter.requires_grad

    def forget(self, network: torch.nn.Module) -> None:
        """Drop the gradients by all parameters of a network."""
        network.zero_grad(set_to_none=True)

    def states(self, optimizer: Any, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        """Give the tensors that an optimizer keeps for a parameter."""
        return {
            name: value
            for name, value in optimizer.state.get(parameter, {}).items()
            if self._backend.is_tensor(value) and value.shape == parameter.shape
        }
