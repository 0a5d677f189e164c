"""The paddle side of the harness; `torch_backend.py` is its mirror."""

from __future__ import annotations

import copy
import itertools
import platform
from contextlib import AbstractContextManager, contextmanager, suppress
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import paddle

from parity.backends.paddle_exact import exact_kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from parity.backends import FloatType, Noting

# Paddle 2.6 shows a hook the positional arguments alone.
HOOKS_SEE_KEYWORDS = (
    "with_kwargs" in signature(paddle.nn.Layer.register_forward_pre_hook).parameters
)
#: Under torch's names.
CUDNN_FLAGS = {
    "cudnn.deterministic": "FLAGS_cudnn_deterministic",
    "cudnn.benchmark": "FLAGS_cudnn_exhaustive_search",
}


class PaddleBackend:
    """See `parity.backends.Backend`."""

    name: Literal["paddle"] = "paddle"

    def modules(self, network: paddle.nn.Layer) -> Iterator[tuple[str, paddle.nn.Layer]]:
        """Yield every sublayer with its path, root first as ''."""
        yield from network.named_sublayers(include_self=True)

    def children(self, module: paddle.nn.Layer) -> Iterator[tuple[str, paddle.nn.Layer]]:
        """Yield a layer's own sublayers with their names, a shared one under each."""
        found = module._sub_layers  # noqa: SLF001 - named_children leaves repetitions out
        yield from ((name, child) for name, child in found.items() if child is not None)

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

    def argument(self, network: paddle.nn.Layer, array: np.ndarray) -> paddle.Tensor:
        """Make a tensor of an array where a network's parameters are."""
        return paddle.to_tensor(array.copy(), place=_place(network))

    def device(self, network: paddle.nn.Layer) -> dict[str, str]:
        """Say where a network runs, and how it multiplies float32 there."""
        place = _place(network)
        if place is None or place.is_cpu_place():
            return {"kind": "cpu", "name": platform.machine()}
        kind = str(place).removeprefix("Place(").partition(":")[0]
        name = paddle.device.cuda.get_device_name(place) if kind == "gpu" else str(place)
        return {
            "kind": kind,
            "name": name,
            "tf32": "off" if _tf32_switches() else "unknown",
            "cuda": str(paddle.version.cuda()),
            "cudnn": str(paddle.get_cudnn_version()),
            **_cudnn_flags(),
        }

    def version(self, tensor: paddle.Tensor) -> int:
        """Count a tensor's in-place changes."""
        return int(tensor.inplace_version)

    @contextmanager
    def running(
        self,
        network: paddle.nn.Layer,
        dtype: FloatType,
        *,
        gradients: bool = False,
        training: bool = False,
    ) -> Iterator[None]:
        """Run in one mode, with gradients or without, and restore every flag."""
        layers = network.sublayers(include_self=True)
        flags = [(layer, layer.training) for layer in layers]
        default, random = paddle.get_default_dtype(), paddle.get_rng_state()
        try:
            with paddle.set_grad_enabled(gradients), full_float32():
                paddle.set_default_dtype(dtype)
                network.train() if training else network.eval()
                with _recurrent_gradients(layers if gradients and not training else []):
                    yield
        finally:
            paddle.set_default_dtype(default)
            paddle.set_rng_state(random)
            for layer, flag in flags:
                layer.training = flag

    def exact_kernels(self, noting: Noting) -> AbstractContextManager[None]:
        """Let exact results stand in for single-precision kernels; see `paddle_exact`."""
        return exact_kernels(noting)

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


@contextmanager
def _recurrent_gradients(layers: list[paddle.nn.Layer]) -> Iterator[None]:
    """Let recurrent layers go backward in evaluation mode, where their kernel keeps nothing.

    Training mode without dropout computes the same.
    """
    recurrent = [layer for layer in layers if isinstance(layer, paddle.nn.layer.rnn.RNNBase)]
    rates = [layer.dropout for layer in recurrent]
    try:
        for layer in recurrent:
            layer.dropout, layer.training = 0.0, True
        yield
    finally:
        for layer, rate in zip(recurrent, rates, strict=True):
            layer.dropout = rate


def _place(network: paddle.nn.Layer) -> Any:
    tensors = itertools.chain(network.parameters(), network.buffers())
    return next((tensor.place for tensor in tensors), None)


def _cudnn_flags() -> dict[str, str]:
    found = {}
    for name, flag in CUDNN_FLAGS.items():
        # A build without cuDNN does not know them.
        with suppress(ValueError):
            found[name] = str(paddle.get_flags([flag])[flag])
    return found


def _tf32_switches() -> list[tuple[Callable[[], bool], Callable[[bool], None]]]:
    core = paddle.base.core if hasattr(paddle, "base") else paddle.fluid.core
    names = ("cublas", "cudnn")
    return [
        (getattr(core, f"get_{name}_switch"), getattr(core, f"set_{name}_switch"))
        for name in names
        if hasattr(core, f"set_{name}_switch")
    ]


@contextmanager
def full_float32() -> Iterator[None]:
    """Multiply float32 in full on GPUs, not in TF32, which is Paddle's default there."""
    before = [(write, read()) for read, write in _tf32_switches()]
    try:
        for write, _ in before:
            write(False)
        yield
    finally:
        for write, value in before:
            write(value)
