"""The torch side of the harness; `paddle_backend.py` is its mirror."""

from __future__ import annotations

import copy
import itertools
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from parity.backends import FloatType
    from parity.precision import Floor


_UNCOUNTED = itertools.count(start=-1, step=-1)


class TorchBackend:
    """See `parity.backends.Backend`."""

    name: Literal["torch"] = "torch"

    def modules(self, network: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
        """Yield every module with its path, root first as ''."""
        yield from network.named_modules()

    def is_leaf(self, module: torch.nn.Module) -> bool:
        """Tell whether a module has no children."""
        return next(module.children(), None) is None

    def holds_weights(self, module: torch.nn.Module) -> bool:
        """Tell whether the module itself registers parameters."""
        return next(module.parameters(recurse=False), None) is not None

    def before(self, module: torch.nn.Module, act: Callable[[Any], Any]) -> Callable[[], None]:
        """Call `act((args, kwargs))` before each forward."""
        handle = module.register_forward_pre_hook(
            lambda _, args, kwargs: act((args, kwargs)), with_kwargs=True
        )
        return handle.remove

    def after(self, module: torch.nn.Module, act: Callable[[Any], Any]) -> Callable[[], None]:
        """Call `act(output)` after each forward."""
        return module.register_forward_hook(lambda _, __, output: act(output)).remove

    def is_tensor(self, value: Any) -> bool:
        """Tell whether a value is a torch tensor."""
        return isinstance(value, torch.Tensor)

    def view(self, tensor: torch.Tensor) -> np.ndarray:
        """Give a tensor's values, without a copy on the CPU."""
        plain = tensor.detach()
        if plain.dtype == torch.bfloat16:
            plain = plain.float()
        return plain.cpu().numpy()

    def from_numpy(self, array: np.ndarray) -> torch.Tensor:
        """Make a tensor of the same shape, dtype and values."""
        return torch.from_numpy(array.copy())

    def like(self, tensor: torch.Tensor, array: np.ndarray) -> torch.Tensor:
        """Make a tensor of an array on another tensor's device."""
        made = self.from_numpy(array).to(tensor.device)
        keeps = tensor.dtype in {torch.float32, torch.float64}
        return made if keeps else made.to(tensor.dtype)

    def overwrite(self, tensor: torch.Tensor, array: np.ndarray) -> None:
        """Write values into a tensor's own memory."""
        tensor.detach().copy_(self.from_numpy(array))

    def version(self, tensor: torch.Tensor) -> int:
        """Count a tensor's in-place changes."""
        if tensor.is_inference():
            # Made under inference_mode, which counts nothing: never the same twice.
            return next(_UNCOUNTED)
        return tensor._version  # noqa: SLF001 - torch's only counter

    @contextmanager
    def inference(self, network: torch.nn.Module, dtype: FloatType) -> Iterator[None]:
        """Run in evaluation mode without gradients, and restore every flag."""
        training = [(module, module.training) for module in network.modules()]
        default = torch.get_default_dtype()
        try:
            with torch.random.fork_rng(), torch.no_grad():
                torch.set_default_dtype(getattr(torch, dtype))
                network.eval()
                yield
        finally:
            torch.set_default_dtype(default)
            for module, flag in training:
                module.training = flag

    def exact_kernels(self, _note: Callable[[Floor], None]) -> AbstractContextManager[None]:
        """Change nothing: torch's float64 kernels are double precision throughout."""
        return nullcontext()

    def copy_as(self, network: torch.nn.Module, dtype: FloatType) -> torch.nn.Module:
        """Copy a network and cast its floating parameters and buffers."""
        return copy.deepcopy(network).to(getattr(torch, dtype))
