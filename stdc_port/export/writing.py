"""An export from beginning to end: pictures, files, comparison, and only then their place."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from converters import InputError
from converters.files import put_folder_in_place, temporary_beside
from stdc_port.export.compare import Export, compare
from stdc_port.export.folding import Reduction
from stdc_port.export.formats import FORMATS, Exported, possible
from stdc_port.export.paddle_side import Pixels, eager, reduced
from stdc_port.training.augmentation import Normalisation
from stdc_port.training.cityscapes import read_image
from stdc_port.training.scenes import draw_scene

NOTE = "export.json"
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


def check_place(output: Path, *, force: bool) -> None:
    """Refuse a folder that holds something.

    Raises:
        InputError: it is there, and is no earlier export that `force` lets go.
    """
    if not output.parent.is_dir():
        raise InputError(f"{output}: there is no folder {output.parent}; make it first")
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / NOTE).is_file():
        raise InputError(f"{output}: is there and no export; name another folder")
    if not force:
        raise InputError(f"{output}: holds an export already; --force replaces it")


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
    lacking = possible(formats)
    left = {name: needs for name, needs in lacking.items() if needs}
    if len(left) == len(lacking):
        needs = sorted({name for names in left.values() for name in names})
        raise InputError(f"{', '.join(needs)}: not installed; pip install 'stdc-port[export]'")
    images, origin = inputs
    trained = eager(network, threads=1)
    wanted = [trained(image) for image in images]
    small = reduced(network, reduction)
    with temporary_beside(output, folder=True) as locked:
        stage = locked / "new"  # what is written there locks its folder, too
        stage.mkdir()
        exported = Exported(stage, model, reduction, variant)
        rows = []
        for name in (name for name in formats if name not in left):
            FORMATS[name].write(exported, network, small)
            rows.append(compare(name, exported, wanted, images))
            advance(name)
        height, width = images[0].shape[2:]
        place = Exported(output, model, reduction, variant)
        result = Export(place, tuple(rows), left, len(images), (width, height), origin)
        if result:
            note = json.dumps(result.to_json(), indent=1)
            (stage / NOTE).write_text(note + "\n", encoding="utf-8")
            put_folder_in_place(locked, output)
    return result


def read_export(folder: Path) -> tuple[Exported, list[str]]:
    """An export's folder, and the formats in it.

    Raises:
        InputError: it is none.
    """
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        reduction = Reduction(bool(note["drop_heads"]), bool(note["fold_norms"]))
        names = [row["format"] for row in note["formats"] if row["format"] in FORMATS]
        return Exported(folder, str(note["model"]), reduction, str(note["variant"])), names
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: no folder that stdc-seg export wrote ({error})") from error
