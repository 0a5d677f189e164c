"""The authors' pipeline written plainly: each change on the whole picture, the crop last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from stdc_port.training.augmentation import Draw


def plainly(
    image: Image.Image, labels: NDArray[np.uint8], drawn: Draw
) -> tuple[Image.Image, NDArray[np.uint8]]:
    """The crop of a picture and of its labels."""
    image = ImageEnhance.Brightness(image).enhance(drawn.brightness)
    image = ImageEnhance.Contrast(image).enhance(drawn.contrast)
    image = ImageEnhance.Color(image).enhance(drawn.saturation)
    mask = Image.fromarray(labels)
    if drawn.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mask = mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if drawn.size != image.size:
        # In two steps, since Pillow 13 takes tall pictures down first; the authors' had one order.
        image = image.resize((drawn.size[0], image.height), Image.Resampling.BILINEAR)
        image = image.resize(drawn.size, Image.Resampling.BILINEAR)
        mask = mask.resize(drawn.size, Image.Resampling.NEAREST)
    return image.crop(drawn.box), np.asarray(mask.crop(drawn.box), np.uint8)
