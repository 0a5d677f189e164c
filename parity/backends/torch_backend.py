"""The torch side of the harness; `paddle_backend.py` is its mirror."""

from __future__ import annotations

import copy
import itertools
import platform
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn.utils import parametrize

from parity.backends.torch_exact import exact_gradients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from parity.backends import FloatType, Noting


_UNCOUNTED = itertools.count(start=-1, step=-1)


class TorchBackend:
    """See `parity.backends.Backend`."""

    name: Literal["torch"] = "torch"

    def modules(self, network: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
        """Yield every module with its path, root first as ''."""
        yield from network.named_modules()

    def children(self, module: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
        """Yield a module's own children with their names, a shared one under each."""
        found = module._modules  # noqa: SLF001 - named_children leaves repetitions out
        yield from ((name, child) for name, child in found.items() if child is not None)

    def is_leaf(self, module: torch.nn.Module) -> bool:
        """Tell whether a module has no children."""
        return next(module.children(), None) is None

    def holds_weights(self, module: torch.nn.Module) -> bool:
        """Tell whether the module itself registers parameters, or has some made by other ones."""
        if isinstance(module, parametrize.ParametrizationList):
            return False  # they belong to the layer whose weight it makes
        own = next(module.parameters(recurse=False), None) is not None
        return own or parametrize.is_parametrized(module)

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

    def argument(self, network: torch.nn.Module, array: np.ndarray) -> torch.Tensor:
        """Make a tensor of an array where a network's parameters are."""
        return self.from_numpy(array).to(_place(network))

    def device(self, network: torch.nn.Module) -> dict[str, str]:
        """Say where a network runs, and how it multiplies float32 there."""
        place = _place(network)
        if place.type != "cuda":
            return {"kind": place.type, "name": platform.machine()}
        cudnn = torch.backends.cudnn
        return {
            "kind": "cuda",
            "name": torch.cuda.get_device_name(place),
            "tf32": "off",
            "cuda": str(torch.version.cuda),
            "cudnn": str(cudnn.version()) if cudnn.enabled else "off",
            "cudnn.deterministic": str(cudnn.deterministic),
            "cudnn.benchmark": str(cudnn.benchmark),
        }

    def version(self, tensor: torch.Tensor) -> int:
        """Count a tensor's in-place changes."""
        if tensor.is_inference():
            # Made under inference_mode, which counts nothing: never the same twice.
            return next(_UNCOUNTED)
        return tensor._version  # noqa: SLF001 - torch's only counter

    @contextmanager
    def running(
        self,
        network: torch.nn.Module,
        dtype: FloatType,
        *,
        gradients: bool = False,
        training: bool = False,
    ) -> Iterator[None]:
        """Run in one mode, with gradients or without, and restore every flag."""
        flags = [(module, module.training) for module in network.modules()]
        default = torch.get_default_dtype()
        try:
            with (
                torch.random.fork_rng(),
                torch.set_grad_enabled(gradients),
                full_float32(),
                layer_by_layer(),
            ):
                torch.set_default_dtype(getattr(torch, dtype))
                network.train(training)
                yield
        finally:
            torch.set_default_dtype(default)
            for module, flag in flags:
                module.training = flag

    def exact_kernels(self, noting: Noting) -> AbstractContextManager[None]:
        """Let exact gradients stand in for single-precision ones; see `torch_exact`."""
        return exact_gradients(noting)

    def copy_as(self, network: torch.nn.Module, dtype: FloatType) -> torch.nn.Module:
        """Copy a network and cast its floating parameters and buffers."""
        clone = copy.deepcopy(network).to(getattr(torch, dtype))
        clone.zero_grad(set_to_none=True)  # torch copies gradients along
        return clone


def _place(network: torch.nn.Module) -> torch.device:
    tensors = itertools.chain(network.parameters(), network.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


@contextmanager
def layer_by_layer() -> Iterator[None]:
    """Switch off the fused path of torch's Transformer layers, which calls none of their modules.

    It also returns zeros at padded positions, where the layers by themselves do not.
    """
    mha = torch.backends.mha
    before = mha.get_fastpath_enabled()
    try:
        mha.set_fastpath_enabled(False)
        yield
    finally:
        mha.set_fastpath_enabled(before)


@contextmanager
def full_float32() -> Iterator[None]:
    """Multiply float32 in full on GPUs, not in TF32, which is torch's default for convolutions."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    flags: list[tuple[Any, str, Any]]
    if hasattr(cudnn, "conv"):
        # torch 2.9 and later: a mixture of old and new names makes reading the old ones raise.
        flags = [(part, "fp32_precision", "ieee") for part in (matmul, cudnn.conv, cudnn.rnn)]
    else:
        flags = [(part, "allow_tf32", False) for part in (matmul, cudnn)]
    before = [getattr(part, name) for part, name, _ in flags]
    try:
        for part, name, value in flags:
            setattr(part, name, value)
        yield
    finally:
        for (part, name, _), value in zip(flags, before, strict=True):
            setattr(part, name, value)
