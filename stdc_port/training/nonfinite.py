"""Where a value that is no number came from, and what is kept to look into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from converters.errors import InputError, RefusedError
from stdc_port.spec import LossParts
from stdc_port.training.batches import Batch
from stdc_port.training.state import network_arrays, save_weights, write_whole


class NotFiniteError(InputError):
    """The loss, a gradient or a weight became NaN or infinite; the run stopped there."""


def refuse_weights(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse weights of a file that are not finite.

    Paddle's ReLU makes 0 of NaN (docs/traps.md, 40): a network with such weights gives logits that
    are finite, and mean nothing.

    Args:
        path: of the file.
        arrays: what a network would take from it, by key.

    Raises:
        RefusedError: all such tensors are listed.
    """
    problems = [
        f"{key}: {count} of {array.size} values are NaN or infinite"
        for key, array in arrays.items()
        if (count := array.size - int(np.isfinite(array).sum()))
    ]
    if problems:
        raise RefusedError(
            f"{path}: holds weights that are no numbers; train or save it anew", problems
        )


def refuse_loss(network: Any, batch: Batch, losses: LossParts) -> None:
    """Refuse a loss that is not finite.

    Raises:
        NotFiniteError: naming the first layer that made it.
    """
    parts = {name: float(getattr(losses, name)) for name in LossParts._fields[1:]}
    bad = [name for name, value in parts.items() if not np.isfinite(value)]
    where = first_bad_layer(network, batch.images)
    raise NotFiniteError(
        f"the loss is {float(losses.total)} (in {', '.join(bad)}); "
        + (where or "every layer is finite: the loss itself made it")
    )


def refuse_gradients(network: Any, batch: Batch, trained: Mapping[str, Any]) -> None:
    """Refuse gradients that are not finite: one reduction, parameters only if that fails.

    Args:
        network: that made them.
        batch: of which.
        trained: the parameters by path.

    Raises:
        NotFiniteError: naming the first layer or parameter.
    """
    gradients = {path: p.grad for path, p in trained.items() if p.grad is not None}
    norm = paddle.add_n([gradient.abs().sum() for gradient in gradients.values()])
    if np.isfinite(float(norm)):
        return
    bad = [path for path, g in gradients.items() if not bool(paddle.isfinite(g).all())]
    first = last_computed(network, batch.images, bad) if bad else "their sum"
    # Paddle's ReLU makes 0 of NaN: a loss may be finite over a layer that is not.
    where = first_bad_layer(network, batch.images) or f"backward met {first} first"
    raise NotFiniteError(f"the gradients of {len(bad)} parameters are not finite; {where}")


def first_bad_layer(network: Any, images: np.ndarray) -> str:
    """Name the first layer, in the order of computing, that gives NaN or infinity.

    The pictures go through the network once more, in its present mode but for synchronised norms.

    Returns:
        What was found, '' where every layer's output is finite.
    """
    if not np.isfinite(images).all():
        return "the pictures hold it before any layer"
    found: list[str] = []

    def look(path: str, layer: Any, output: Any) -> None:
        if not found and not _finite(output):
            held = [name for name, p in layer.named_parameters() if not _finite(p)]
            own = f", whose {', '.join(held)} already holds it" if held else ""
            found.append(f"the first layer that made it is {path} ({type(layer).__name__}){own}")

    hooks = [
        layer.register_forward_post_hook(
            lambda layer, _, output, path=path: look(path, layer, output)
        )
        for path, layer in network.named_sublayers()
        if not layer.sublayers()
    ]
    _compute(network, images, hooks)
    return found[0] if found else ""


def last_computed(network: Any, images: np.ndarray, paths: Sequence[str]) -> str:
    """Of parameters by path, the one whose layer is computed last: backward reaches it first."""
    order: list[str] = []
    hooks = [
        layer.register_forward_post_hook(lambda *_, path=path: order.append(path))
        for path, layer in network.named_sublayers()
    ]
    _compute(network, images, hooks)
    places = {path: place for place, path in enumerate(order)}
    return max(paths, key=lambda path: places.get(path.rpartition(".")[0], -1))


def _compute(network: Any, images: np.ndarray, hooks: Sequence[Any]) -> None:
    """Let pictures go through a network that is hooked, in this process alone; unhook it."""
    synchronised = paddle.nn.SyncBatchNorm  # would wait for processes that are not looking
    waiting = [layer for layer in network.sublayers() if isinstance(layer, synchronised)]
    modes = [layer.training for layer in waiting]
    for layer in waiting:
        layer.eval()
    try:
        with paddle.no_grad():
            network(paddle.to_tensor(images))
    finally:
        for hook in hooks:
            hook.remove()
        for layer, training in zip(waiting, modes, strict=True):
            layer.training = training


def bad_arrays(arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Keys of the arrays that hold NaN or infinity."""
    return [key for key, array in arrays.items() if not np.isfinite(array).all()]


def keep_batch(
    folder: Path, iteration: int, batch: Batch, names: Sequence[str], network: Any, rank: int = 0
) -> Path:
    """Write the batch and the weights that it met, to be looked into.

    Args:
        folder: of the run.
        iteration: named in the file's name.
        batch: that was trained by.
        names: of its pictures.
        network: as the batch met it.
        rank: of this process; those but the first are named in the file's name, too.

    Returns:
        The `.npz` file with `images`, `labels` and `names`; the weights lie beside it.
    """
    process = f"-process{rank}" if rank else ""
    path = folder / f"nonfinite-{iteration:09d}{process}.npz"

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez_compressed(
                file, images=batch.images, labels=batch.labels, names=np.array(names)
            )

    write_whole(path, write, lambda _: True)
    save_weights(path.with_suffix(".pdparams"), network_arrays(network))
    return path


def _finite(value: Any) -> bool:
    values = value if isinstance(value, (tuple, list)) else [value]
    return all(bool(paddle.isfinite(one).all()) for one in values)
