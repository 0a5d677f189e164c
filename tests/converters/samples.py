"""Checkpoints for the tests: trained-looking, with another seed per tensor, or mere shapes."""

import zlib
from pathlib import Path

import numpy as np
import torch

from converters.checkpoint import Checkpoint, LazyTensor
from converters.dtypes import BY_NAME
from stdc_port import torch_nets


def generator(seed: int, key: str) -> np.random.Generator:
    """Return a generator of its own for a tensor."""
    return np.random.default_rng([seed, zlib.crc32(key.encode())])


def trained(arch: str, *, seed: int = 0, **options: object) -> torch.nn.Module:
    """Return a torch network with random statistics; some head scales are negative, some zero."""
    network = torch_nets.build(arch, **options)
    for key, tensor in [*network.named_parameters(), *network.named_buffers()]:
        fill(key, tensor.detach(), seed=seed)
    return network.eval()


def fill(key: str, tensor: torch.Tensor, *, seed: int) -> None:
    """Give a tensor values as training leaves them, by its name; norms count batches."""
    random = generator(seed, key)
    if key.endswith("num_batches_tracked"):
        tensor.fill_(int(random.integers(1, 10_000)))
    elif key.endswith("running_var"):
        tensor.copy_(torch.from_numpy(random.uniform(0.3, 2.0, tensor.shape)))
    elif tensor.ndim == 1 and key.endswith("weight"):
        scale = random.uniform(-1.5, 1.5, tensor.shape)
        scale[:: max(1, len(scale) // 4)] = 0.0
        tensor.copy_(torch.from_numpy(scale))
    elif tensor.ndim == 1:
        tensor.copy_(torch.from_numpy(random.normal(0, 0.3, tensor.shape)))
    else:
        fan = tensor[0].numel()
        values = random.standard_normal(tensor.shape, np.float32) * (2 / fan) ** 0.5
        tensor.copy_(torch.from_numpy(values))


def skeleton(arch: str, **options: object) -> torch.nn.Module:
    """Return a torch network without memory behind its tensors."""
    with torch.device("meta"):
        return torch_nets.build(arch, **options)


def unread() -> np.ndarray:
    """Stand for the elements of a tensor that nothing should look at."""
    raise AssertionError("a tensor was read although its shape says all")


def shape_tensor(value: torch.Tensor) -> LazyTensor:
    """Return a tensor of which only shape and type are known; equal objects are one storage."""
    name = str(value.dtype).removeprefix("torch.")
    return LazyTensor(tuple(value.shape), BY_NAME[name], unread, id(value))


def shapes_of(network: torch.nn.Module, prefix: str = "") -> Checkpoint:
    """Return a checkpoint of a network's keys and shapes whose tensors cannot be read."""
    state = network.state_dict(keep_vars=True)
    tensors = {prefix + key: shape_tensor(value) for key, value in state.items()}
    return Checkpoint(Path("shapes.pth"), "memory", tensors)


def changed(checkpoint: Checkpoint, **options: object) -> Checkpoint:
    """Return a checkpoint without some keys and with others: ``drop`` a set, ``put`` a dict."""
    drop, put = options.get("drop", ()), options.get("put", {})
    kept = {key: value for key, value in checkpoint.items() if key not in drop}
    return Checkpoint(checkpoint.path, checkpoint.format, kept | put)


def array_tensor(array: np.ndarray) -> LazyTensor:
    """Return a tensor that holds an array."""
    return LazyTensor(array.shape, BY_NAME[array.dtype.name], lambda: array)


def bits(value: object) -> bytes:
    """Return the bytes of a torch, paddle or numpy tensor in C order."""
    if isinstance(value, torch.Tensor):
        flat = (
            value.detach().resolve_conj().clone(memory_format=torch.contiguous_format).reshape(-1)
        )
        return flat.view(torch.uint8).numpy().tobytes() if len(flat) else b""
    array = value if isinstance(value, np.ndarray) else value.numpy()
    return np.ascontiguousarray(array).tobytes()
