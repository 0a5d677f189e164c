"""Evaluation and prediction of a Paddle segmentation network, as the authors evaluate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from stdc_port.training.cityscapes import Pair, read_image, read_labels
from stdc_port.training.labels import COLOUR_OF_TRAIN_ID, NUM_CLASSES
from stdc_port.training.metrics import Evaluation, confusion

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


def load_network(path: Path, model: str) -> Any:
    """A trained segmentation network in evaluation mode.

    Args:
        path: its `.pdparams` file.
        model: `stdc1` or `stdc2`.

    Raises:
        InputError: the file cannot be read or is in another framework's layout.
        RefusedError: its keys or shapes are not the network's; all of them are listed.
    """
    network: Any = build(f"{model}-seg")
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
    for key, tensor in checkpoint.items():
        state[key].set_value(tensor.load())
    network.eval()
    return network


def predict(
    network: Any, image: Image.Image, *, scale: float, normalisation: Normalisation
) -> NDArray[np.uint8]:
    """(H, W) train ids of one picture.

    The picture is resized (bilinear, align_corners=True), its logits are enlarged to full size in
    the same way, and the largest one wins.
    """
    with paddle.no_grad():
        full = paddle.to_tensor(normalisation.apply(image)[None])
        height, width = full.shape[2:]
        size = [max(int(height * scale), 1), max(int(width * scale), 1)]
        logits = network(_resized(full, size))
        return np.asarray(_resized(logits, [height, width]).argmax(1)[0].numpy(), np.uint8)


def evaluate(
    network: Any,
    pairs: Sequence[Pair],
    *,
    scale: float,
    normalisation: Normalisation,
    advance: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Compare the predictions of a network in evaluation mode with the labels of a set."""
    matrix = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
    for pair in pairs:
        image = read_image(pair.image)
        predicted = predict(network, image, scale=scale, normalisation=normalisation)
        matrix += confusion(read_labels(pair), predicted, NUM_CLASSES)
        advance(pair.name)
    return Evaluation(matrix, len(pairs), scale)


def overlay(image: Image.Image, train_ids: NDArray[np.uint8], *, share: float) -> Image.Image:
    """A picture with the colours of its classes laid over it, `share` of them."""
    colours = Image.fromarray(COLOUR_OF_TRAIN_ID[train_ids])
    return Image.blend(image, colours, share)


def find_images(source: Path) -> list[Path]:
    """A picture, or all pictures below a folder, sorted.

    Raises:
        InputError: there is none.
    """
    if source.is_file():
        return [source]
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise InputError(f"{source}: no picture ({', '.join(sorted(_SUFFIXES))}) there")
    return found


def predict_folder(
    network: Any,
    images: Sequence[Path],
    output: Path,
    *,
    scale: float,
    normalisation: Normalisation,
    share: float = 0.5,
    advance: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write a colour overlay for each picture, under its own name.

    Raises:
        InputError: a picture is unreadable, or two of them share a name.
    """
    output.mkdir(parents=True, exist_ok=True)
    targets = [output / f"{path.stem}_overlay.png" for path in images]
    doubled = {path.name for path in targets if targets.count(path) > 1}
    if doubled:
        raise InputError(f"{output}: several pictures would become {', '.join(sorted(doubled))}")
    for path, target in zip(images, targets, strict=True):
        try:
            image = read_image(path)
        except OSError as error:
            raise InputError(f"{path}: unreadable picture ({error})") from error
        predicted = predict(network, image, scale=scale, normalisation=normalisation)
        overlay(image, predicted, share=share).save(target)
        advance(path.name)
    return targets


def _resized(x: Any, size: list[int]) -> Any:
    if list(x.shape[2:]) == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)
