"""What the harness needs of a framework to go backward, once per framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from parity.backends import backend_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np


class Autograd(Protocol):
    """The operations of a backward pass in which the frameworks differ."""

    def leaf(self, tensor: Any) -> Any:
        """Let a tensor collect its gradient, if it is a floating one; see `gradient`."""

    def copied(self, leaf: Any) -> Any:
        """Give a tensor that is not the leaf itself: a network may change it in place."""

    def flows(self, tensor: Any) -> bool:
        """Tell whether a gradient can flow through a tensor."""

    def watch(self, tensor: Any, act: Callable[[np.ndarray], np.ndarray | None]) -> None:
        """Call `act(gradient)` when a tensor's whole gradient is known.

        What it gives back takes the gradient's place. The array holds until `act` returns.
        """

    def backward(self, tensors: Sequence[Any], cotangents: Sequence[np.ndarray]) -> None:
        """Run backward from some tensors; errors of `act` come out here."""

    def gradient(self, leaf: Any) -> np.ndarray | None:
        """Give a leaf's gradient; None if none has reached it."""

    def tensors(self, network: Any) -> Iterator[tuple[str, Any]]:
        """Yield every parameter and buffer under every one of its names."""

    def trains(self, parameter: Any) -> bool:
        """Tell whether a parameter is to be trained."""

    def forget(self, network: Any) -> None:
        """Drop the gradients by all parameters of a network."""

    def states(self, optimizer: Any, parameter: Any) -> dict[str, Any]:
        """Give the tensors that an optimizer keeps for a parameter, in its shape, by name."""


def autograd_of(network: Any) -> Autograd:
    """Find the autograd of a torch Module or paddle Layer.

    Raises:
        TypeError: The object is neither.
    """
    if backend_of(network).name == "torch":
        from parity.backends.torch_autograd import TorchAutograd

        return TorchAutograd()
    from parity.backends.paddle_autograd import PaddleAutograd

    return PaddleAutograd()
