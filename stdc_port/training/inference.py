"""What a Paddle segmentation network says of a picture, as the authors ask it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from converters import InputError, RefusedError, read_checkpoint
from stdc_port.paddle_nets import build
from stdc_port.training.augmentation import Normalisation
from stdc_port.training.nonfinite import refuse_weights

Scales = float | Sequence[float]


def load_network(path: Path, model: str, variant: str = "authors") -> Any:
    """A trained segmentation network in evaluation mode.

    Args:
        path: its `.pdparams` file.
        model: `stdc1` or `stdc2`.
        variant: whose implementation of it.

    Raises:
        InputError: the file cannot be read or is in another framework's layout.
        RefusedError: its keys or shapes are not the network's, or its values no numbers; all of
            them are listed.
    """
    network: Any = build(f"{model}-seg", variant=variant)
    state = network.state_dict()
    checkpoint = read_checkpoint(path)
    if checkpoint.format != "pdparams":
        raise InputError(f"{path}: is a {checkpoint.format} file; convert it with stdc-convert")
    problems = [f"{key}: not in the file" for key in state if key not in checkpoint]
    problems += [f"{key}: not in the network" for key in checkpoint if key not in state]
    problems += [
        f"{key}: expected {tuple(state[key].shape)}, found {tensor.shape}"
        for key, tensor in checkpoint.items()
        if key in state and tuple(state[key].shape) != tensor.shape
    ]
    if problems:
        raise RefusedError(f"{path}: is no {model}-seg network", problems)
    arrays = {key: tensor.load() for key, tensor in checkpoint.items()}
    refuse_weights(path, arrays)
    for key, array in arrays.items():
        state[key].set_value(array)
    network.eval()
    return network


def predict(
    network: Any,
    image: Image.Image,
    *,
    scale: Scales,
    normalisation: Normalisation,
    flip: bool = False,
) -> NDArray[np.uint8]:
    """(H, W) train ids of one picture.

    The picture is resized (bilinear, align_corners=True), its logits are enlarged to full size in
    the same way, and the largest one wins. Of several views, by scale or mirrored, the
    probabilities are summed, which is the authors' way.

    Args:
        network: in evaluation mode.
        image: RGB.
        scale: one, or several, of the picture that the network sees.
        normalisation: that of the network's training.
        flip: also look at the mirrored picture, at every scale.
    """
    with paddle.no_grad():
        full = paddle.to_tensor(normalisation.apply(image)[None])
        scales = scales_of(scale)
        if len(scales) == 1 and not flip:
            chosen = next(_logits(network, full, scales, flip=False))
        else:
            chosen = paddle.zeros([1])
            for logits in _logits(network, full, scales, flip=flip):
                chosen = chosen + F.softmax(logits, axis=1)
        return np.asarray(chosen.argmax(1)[0].numpy(), np.uint8)


def scales_of(scale: Scales) -> tuple[float, ...]:
    """Return one scale or several as a tuple."""
    return (float(scale),) if isinstance(scale, (int, float)) else tuple(scale)


def _logits(network: Any, full: Any, scales: Sequence[float], *, flip: bool) -> Iterator[Any]:
    """Yield (1, C, H, W) logits of every view, at full size and the right way round."""
    height, width = full.shape[2:]
    for scale in scales:
        seen = resized(full, [max(int(height * scale), 1), max(int(width * scale), 1)])
        yield resized(network(seen), [height, width])
        if flip:
            yield resized(network(seen.flip(3)).flip(3), [height, width])


def resized(x: Any, size: list[int]) -> Any:
    """Resize (N, C, H, W) bilinearly with align_corners=True; as it is if it has that size."""
    if list(x.shape[2:]) == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)
