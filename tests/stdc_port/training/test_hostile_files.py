"""What a training is given or finds: pictures, recipes, evaluations and logs of somebody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converters import InputError
from stdc_port.training.cityscapes import Pair, read_pair
from stdc_port.training.metrics import Evaluation
from stdc_port.training.parts import Origin, Part, read_part
from stdc_port.training.prediction import Frame, predict_frames
from stdc_port.training.recipe import load_recipe
from stdc_port.training.runlog import read_log

PIXELS = np.random.default_rng(1).integers(0, 256, (4, 6, 3)).astype(np.uint8)


def odd_pictures(folder: Path) -> dict[str, Path]:
    image = Image.fromarray(PIXELS)
    exif = image.getexif()
    exif[0x0112] = 6
    others = [image.rotate(180)]
    Image.fromarray(PIXELS[..., 0].astype(np.uint16)).save(folder / "wide.png")
    image.save(folder / "film.png", save_all=True, append_images=others)
    image.save(folder / "turned.jpg", exif=exif)
    said = {"wide.png": "8 bits a channel", "film.png": "take them apart", "turned.jpg": "upright"}
    return {words: folder / name for name, words in said.items()}


def test_pictures_that_would_be_read_as_others_are_told_before_a_training(tmp_path: Path) -> None:
    labels = tmp_path / "labels.png"
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(labels)
    for said, path in odd_pictures(tmp_path).items():
        with pytest.raises(InputError, match=said) as refusal:
            read_pair(Pair("a", path, labels, train_ids=False))
        assert f"{path}: unreadable" in str(refusal.value)


def test_a_turned_picture_is_predicted_as_viewers_show_it(tmp_path: Path) -> None:
    paths = odd_pictures(tmp_path)
    seen = []

    def network(image: Image.Image) -> np.ndarray:
        seen.append(image.size)
        return np.zeros(image.size[::-1], np.uint8)

    with pytest.raises(InputError, match="2 of 3 pictures could not be predicted"):
        predict_frames(
            network, [Frame(path, Path(f"{path.stem}.png")) for path in paths.values()], tmp_path
        )
    assert seen == [(4, 6)]
    with Image.open(tmp_path / "labelIds/turned.png") as labels:
        assert labels.size == (4, 6)


def part(**origin: Any) -> dict[str, Any]:
    matrix = np.eye(2, dtype=np.int64)
    evaluation = Evaluation(matrix, 3, (0.5,), ("road", "car"), flip=False)
    facts = {"number": 1, "parts": 1, "pictures": 3, "names": "a", "weights": "b"} | origin
    return Part(evaluation, Origin(1, 1, 3, "a", "b")).to_json() | {"part": facts}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[" * 100_000, "nested without end"),
        (b"\xff\xfe", "no UTF-8 text"),
        (b"[]", "no evaluation"),
        (b" " * 2**21, "more than 1 MiB"),
        (json.dumps(part(number="x")).encode(), "number"),
        (json.dumps(part(parts=2**60)).encode(), "no part 1 of"),
        (json.dumps(part() | {"matrix": [[10**30] * 2] * 2}).encode(), "no evaluation"),
        (json.dumps(part() | {"images": float("inf")}).encode(), "no evaluation"),
    ],
)
def test_an_evaluation_that_is_none_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "part.json"
    path.write_bytes(text)
    with pytest.raises(InputError, match=said) as refusal:
        read_part(path)
    assert str(path) in str(refusal.value)


def test_a_spoilt_log_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    whole = b'{"iteration": 1}\n'
    path.write_bytes(whole + b'{"iteration": ' * 9999 + b"\n\xff\xfe\n" + whole)
    assert read_log(path) == [{"iteration": 1}] * 2


@pytest.mark.parametrize("text", ["[]", "7", '{"train": 1, "train": 2}', "[" * 100_000])
def test_a_stored_recipe_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(str(path), ["train.seed=1"])
