"""An export from beginning to end: pictures, files, comparison, and only then their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from converters import InputError
from converters.files import temporary_beside
from converters.moves import NEW
from stdc_port.export.compare import Export, compare
from stdc_port.export.folding import Reduction
from stdc_port.export.formats import FORMATS, Exported, possible
from stdc_port.export.paddle_side import Pixels, eager, reduced
from stdc_port.export.place import check_place, put
from stdc_port.training.augmentation import Normalisation
from stdc_port.training.cityscapes import read_image
from stdc_port.training.scenes import draw_scene

_SEED = 77


def pictures(
    paths: Sequence[Path], size: tuple[int, int], normalisation: Normalisation, *, count: int
) -> tuple[list[Pixels], str]:
    """Inputs to compare on: pictures resized to (width, height), or generated scenes.

    Returns:
        (1, 3, H, W) each, and where they are from.

    Raises:
        InputError: a picture is unreadable.
    """
    if not paths:
        scenes = [draw_scene(*size, seed=_SEED, index=index).image for index in range(count)]
        inputs = [normalisation.apply(Image.fromarray(scene))[None] for scene in scenes]
        return inputs, "generated scenes"
    found = []
    for path in paths[:count]:
        try:
            image = read_image(path).resize(size, Image.Resampling.BILINEAR)
        except (OSError, ValueError, SyntaxError) as error:
            raise InputError(f"{path}: unreadable picture ({error})") from error
        found.append(np.ascontiguousarray(normalisation.apply(image)[None]))
    return found, f"{paths[0].parent}"


def export(
    network: Any,
    model: str,
    output: Path,
    formats: Sequence[str],
    inputs: tuple[Sequence[Pixels], str],
    *,
    reduction: Reduction,
    variant: str = "authors",
    force: bool = False,
    advance: Callable[[str], None] = lambda _: None,
) -> Export:
    """Write a trained network in several formats, load each and compare it.

    The folder appears when all formats compute what the network does; otherwise nothing stays.

    Args:
        network: in evaluation mode.
        model: stdc1 or stdc2.
        output: the folder.
        formats: names of `FORMATS`; those whose packages are missing are left out.
        inputs: from `pictures`.
        reduction: what is taken out.
        variant: whose implementation the network is.
        force: replace an earlier export.
        advance: told each format.

    Raises:
        InputError: the folder is taken, or no format can be written here.
    """
    check_place(output, force=force)
    left = _left(formats)
    images, origin = inputs
    trained = eager(network, threads=1)
    wanted = [trained(image) for image in images]
    small = reduced(network, reduction)
    with temporary_beside(output, folder=True) as stage:
        made = stage / NEW / output.name
        made.mkdir(parents=True)
        exported = Exported(made, model, reduction, variant)
        rows = []
        for name in (name for name in formats if name not in left):
            FORMATS[name].write(exported, network, small)
            rows.append(compare(name, exported, wanted, images))
            advance(name)
        height, width = images[0].shape[2:]
        place = replace(exported, folder=output)
        result = Export(place, tuple(rows), left, len(images), (width, height), origin)
        if result:
            put(stage, output, result.to_json())
    return result


def _left(formats: Sequence[str]) -> dict[str, list[str]]:
    """Formats that cannot be written here, and what each needs.

    Raises:
        InputError: none of them can.
    """
    lacking = possible(formats)
    left = {name: needs for name, needs in lacking.items() if needs}
    if len(left) == len(lacking):
        needs = sorted({name for names in left.values() for name in names})
        raise InputError(f"{', '.join(needs)}: not installed; pip install 'stdc-port[export]'")
    return left
