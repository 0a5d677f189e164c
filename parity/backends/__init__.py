"""What the harness needs of a framework, once per framework.

Nothing here imports torch or paddle: a network's classes already tell whose it is, and the
framework is loaded by whoever built the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import numpy as np

    from parity.precision import Floor

    Noting = Callable[[], Callable[[Floor], None]]

FloatType = Literal["float32", "float64"]


class Backend(Protocol):
    """The handful of operations in which the frameworks differ for a recorder."""

    @property
    def name(self) -> Literal["torch", "paddle"]:
        """The framework's name."""

    def modules(self, network: Any) -> Iterator[tuple[str, Any]]:
        """Yield every module with its path, root first as ''; a shared one once, as registered."""

    def children(self, module: Any) -> Iterator[tuple[str, Any]]:
        """Yield a module's own children with their names, a shared one under each."""

    def is_leaf(self, module: Any) -> bool:
        """Tell whether a module has no child modules."""

    def holds_weights(self, module: Any) -> bool:
        """Tell whether a module itself, not its children, registers parameters."""

    def before(self, module: Any, act: Callable[[Any], Any]) -> Callable[[], None]:
        """Call `act((args, kwargs))` before each forward of a module.

        Unless `act` gives None, the forward gets what it gives. The result removes the hook.
        """

    def after(self, module: Any, act: Callable[[Any], Any]) -> Callable[[], None]:
        """Call `act(output)` after each forward of a module.

        Unless `act` gives None, the caller gets what it gives. The result removes the hook.
        """

    def is_tensor(self, value: Any) -> bool:
        """Tell whether a value is one of this framework's tensors."""

    def view(self, tensor: Any) -> np.ndarray:
        """Give a tensor's values, sharing its memory where that is possible.

        bfloat16, which numpy lacks, comes as float32.
        """

    def from_numpy(self, array: np.ndarray) -> Any:
        """Make a tensor of the same shape, dtype and values."""

    def like(self, tensor: Any, array: np.ndarray) -> Any:
        """Make a tensor of an array on another tensor's device.

        Integers and half precision take the other tensor's dtype, full and double precision keep
        the array's.
        """

    def overwrite(self, tensor: Any, array: np.ndarray) -> None:
        """Write values into a tensor's own memory."""

    def argument(self, network: Any, array: np.ndarray) -> Any:
        """Make a tensor of an array where a network's parameters are."""

    def device(self, network: Any) -> dict[str, str]:
        """Say where a network runs, and how it multiplies float32 there."""

    def version(self, tensor: Any) -> int:
        """Count a tensor's in-place changes so far."""

    def running(
        self, network: Any, dtype: FloatType, *, gradients: bool = False, training: bool = False
    ) -> AbstractContextManager[None]:
        """Run under evaluation mode without gradients, or with them, or under training mode.

        Training flags, the generator of random numbers and the default dtype are what they
        were when the context ends, also by an exception.
        """

    def exact_kernels(self, noting: Noting) -> AbstractContextManager[None]:
        """Let exact results stand in for float64 kernels that are single precision inside.

        Args:
            noting: Asked at each call of such a kernel; what it gives is told the kernel's own
                error, at once or in the backward pass.
        """

    def copy_as(self, network: Any, dtype: FloatType) -> Any:
        """Copy a network and cast its floating parameters and buffers, leaving it untouched."""


#: Classes that merely pass on what one child returns, and where they keep it.
WRAPPERS = {
    "torch.nn.parallel.data_parallel.DataParallel": "module",
    "torch.nn.parallel.distributed.DistributedDataParallel": "module",
    "torch._dynamo.eval_frame.OptimizedModule": "_orig_mod",
    "paddle.distributed.parallel.DataParallel": "_layers",
}


def unwrapped(network: Any) -> Any:
    """Give the network inside wrappers for several devices or for compilation."""
    kind = f"{type(network).__module__}.{type(network).__name__}"
    return unwrapped(getattr(network, WRAPPERS[kind])) if kind in WRAPPERS else network


def require(network: Any, framework: str) -> None:
    """Refuse what is not a network of the given framework.

    Raises:
        TypeError: It is the other framework's, or no network at all.
    """
    found = backend_of(network).name
    if found != framework:
        raise TypeError(f"expected a {framework} network, found a {found} one")


def backend_of(network: Any) -> Backend:
    """Find the backend of a torch Module or paddle Layer.

    Raises:
        TypeError: The object is neither.
    """
    roots = {f"{cls.__module__}.{cls.__name__}" for cls in type(network).__mro__}
    if "torch.nn.modules.module.Module" in roots:
        from parity.backends.torch_backend import TorchBackend

        return TorchBackend()
    if any(root.startswith("paddle.") and root.endswith(".Layer") for root in roots):
        from parity.backends.paddle_backend import PaddleBackend

        return PaddleBackend()
    kind = f"{type(network).__module__}.{type(network).__name__}"
    raise TypeError(f"expected a torch.nn.Module or a paddle.nn.Layer, found {kind}")
