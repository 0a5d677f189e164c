"""The paddle side of the harness; `torch_backend.py` is its mirror."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import paddle

from parity.backends.paddle_exact import exact_kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from parity.backends import FloatType
    from parity.precision import Floor

# Paddle 2.6 shows a hook the positional arguments alone.
HOOKS_SEE_KEYWORDS = (
    "with_kwargs" in signature(paddle.nn.Layer.register_forward_pre_hook).parameters
)


class PaddleBackend:
    """See `parity.backends.Backend`."""

    name: Literal["paddle"] = "paddle"

    def modules(self, network: paddle.nn.Layer) -> Iterator[tuple[str, paddle.nn.Layer]]:
        """Yield every sublayer with its path, root first as ''."""
        yield from network.named_sublayers(include_self=True)

    def is_leaf(self, module: paddle.nn.Layer) -> bool:
        """Tell whether a layer has no sublayers."""
        return next(module.children(), None) is None

    def holds_weights(self, module: paddle.nn.Layer) -> bool:
        """Tell whether the layer itself registers parameters."""
        return bool(module.parameters(include_sublayers=False))

    def before(self, module: paddle.nn.Layer, act: Callable[[Any], Any]) -> Callable[[], None]:
        """Call `act((args, kwargs))` before each forward."""
        if not HOOKS_SEE_KEYWORDS:
            return module.register_forward_pre_hook(
                lambda _, args: (act((args, {})) or (None,))[0]
            ).remove
        handle = module.register_forward_pre_hook(
            lambda _, args, kwargs: act((args, kwargs)), with_kwargs=True
        )
        return handle.remove

    def after(self, module: paddle.nn.Layer, act: Callable[[Any], Any]) -> Callable[[], None]:
        """Call `act(output)` after each forward."""
        return module.register_forward_post_hook(lambda _, __, output: act(output)).remove

    def is_tensor(self, value: Any) -> bool:
        """Tell whether a value is a paddle tensor."""
        return isinstance(value, paddle.Tensor)

    def view(self, tensor: paddle.Tensor) -> np.ndarray:
        """Give a tensor's values, without a copy on the CPU."""
        plain = tensor.detach()
        # Paddle hands bfloat16 over as its bits in uint16.
        if plain.dtype == paddle.bfloat16:
            plain = plain.astype("float32")
        # numpy() copies; the exchange protocol shares. Paddle 2.6 does not have it.
        if plain.place.is_cpu_place() and hasattr(plain, "__dlpack__"):
            return np.from_dlpack(plain)
        return np.asarray(plain.numpy())

    def from_numpy(self, array: np.ndarray) -> paddle.Tensor:
        """Make a tensor of the same shape, dtype and values."""
        return paddle.to_tensor(array.copy())

    def like(self, tensor: paddle.Tensor, array: np.ndarray) -> paddle.Tensor:
        """Make a tensor of an array on another tensor's device."""
        made = paddle.to_tensor(array.copy(), place=tensor.place)
        keeps = tensor.dtype in {paddle.float32, paddle.float64}
        return made if keeps else made.astype(tensor.dtype)

    def overwrite(self, tensor: paddle.Tensor, array: np.ndarray) -> None:
        """Write values into a tensor's own memory."""
        shared = self.view(tensor)
        if shared.flags.writeable and hasattr(tensor, "__dlpack__") and tensor.place.is_cpu_place():
            shared[...] = array
        else:
            tensor.set_value(array)

    def version(self, tensor: paddle.Tensor) -> int:
        """Count a tensor's in-place changes."""
        return int(tensor.inplace_version)

    @contextmanager
    def inference(self, network: paddle.nn.Layer, dtype: FloatType) -> Iterator[None]:
        """Run in evaluation mode without gradients, and restore every flag."""
        layers = network.sublayers(include_self=True)
        training = [(layer, layer.training) for layer in layers]
        default, random = paddle.get_default_dtype(), paddle.get_rng_state()
        try:
            with paddle.no_grad():
                paddle.set_default_dtype(dtype)
                network.eval()
                yield
        finally:
            paddle.set_default_dtype(default)
            paddle.set_rng_state(random)
            for layer, flag in training:
                layer.training = flag

    def exact_kernels(self, note: Callable[[Floor], None]) -> AbstractContextManager[None]:
        """Let exact results stand in for single-precision kernels; see `paddle_exact`."""
        return exact_kernels(note)

    def copy_as(self, network: paddle.nn.Layer, dtype: FloatType) -> paddle.nn.Layer:
        """Copy a network and cast its floating parameters and buffers."""
        # Copying makes parameters, and parameters draw initial values.
        random = paddle.get_rng_state()
        try:
            clone = copy.deepcopy(network)
            _cast(clone, dtype)
        finally:
            paddle.set_rng_state(random)
        return clone


def _cast(network: paddle.nn.Layer, dtype: FloatType) -> None:
    # Layer.to(dtype=...) also turns integer buffers, an index say, into floats: put them back.
    whole = [
        (layer, name, buffer.clone())
        for layer in network.sublayers(include_self=True)
        for name, buffer in layer.named_buffers(include_sublayers=False)
        if not buffer.is_floating_point()
    ]
    default = paddle.get_default_dtype()
    try:
        network.to(dtype=dtype)
    finally:
        paddle.set_default_dtype(default)
    for layer, name, buffer in whole:
        setattr(layer, name, buffer)
