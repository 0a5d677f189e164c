"""Writing a generated set as Cityscapes lays it out, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from converters.errors import InputError
from converters.files import made_folder, put_folder_in_place, temporary_beside
from converters.moves import NEW
from converters.small_files import small_json
from stdc_port.training.scenes.street import draw_scene

MARKER = "generated.json"
"""Written last, inside the set: how the set was made."""

_CITIES = {"train": "northbridge", "val": "southgate"}


@dataclass(frozen=True, kw_only=True)
class SceneSet:
    """What settles a generated set, down to its pixels."""

    train: int = 120
    val: int = 30
    width: int = 512
    height: int = 256
    seed: int = 0


def read_marker(folder: Path) -> SceneSet | None:
    """How a folder's set was generated; None when it is no whole generated set."""
    try:
        return SceneSet(**small_json(folder / MARKER))
    except (InputError, TypeError):
        return None


def write_scenes(
    folder: Path, scenes: SceneSet, *, advance: Callable[[], None] = lambda: None
) -> bool:
    """Generate a set, in a temporary folder that is renamed when it is whole.

    Args:
        folder: where the set shall lie; it may exist only when it is empty or holds a generated
            set.
        scenes: what to draw.
        advance: called after every scene.

    Returns:
        False when this very set was there already and nothing was drawn.

    Raises:
        FileExistsError: when something other than a generated set lies there.
        InputError: the disk refuses.
    """
    if read_marker(folder) == scenes:
        return False
    if folder.exists() and read_marker(folder) is None and any(folder.iterdir()):
        raise FileExistsError(
            f"{folder} exists and is no generated set; choose another folder or remove it"
        )
    made_folder(folder.parent)
    with temporary_beside(folder, folder=True) as stage:
        temporary = stage / NEW / folder.name
        for split, first, count in (
            ("train", 0, scenes.train),
            ("val", scenes.train, scenes.val),
        ):
            for number in range(count):
                _write_scene(temporary, split, number, first + number, scenes)
                advance()
        (temporary / MARKER).write_text(json.dumps(asdict(scenes), indent=1) + "\n")
        put_folder_in_place(stage, folder)
    return True


def _write_scene(root: Path, split: str, number: int, index: int, scenes: SceneSet) -> None:
    scene = draw_scene(scenes.width, scenes.height, seed=scenes.seed, index=index)
    city = _CITIES[split]
    stem = f"{city}_{number:06d}_000019"
    for kind, suffix, pixels in (
        ("leftImg8bit", "leftImg8bit", scene.image),
        ("gtFine", "gtFine_labelIds", scene.label_ids),
    ):
        path = root / kind / split / city / f"{stem}_{suffix}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, compress_level=3)
