"""A set evaluated whole, in parts, at several scales and mirrored."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from PIL import Image

from converters.errors import InputError
from stdc_port.training import confusion, evaluate, inference
from stdc_port.training.augmentation import IMAGENET
from stdc_port.training.cityscapes import find_pairs, read_image, read_labels
from stdc_port.training.labels import CLASS_NAMES
from stdc_port.training.metrics import Evaluation


@pytest.fixture(scope="module")
def network() -> paddle.nn.Layer:
    """Stands for a segmentation network: not mirror-symmetric, and quick."""
    paddle.seed(3)
    layer = paddle.nn.Conv2D(3, 19, 3, padding=1, stride=2)
    layer.eval()
    return layer


def judged(network: paddle.nn.Layer, scenes: Path, **options: object) -> Evaluation:
    options = {"scale": 1.0, "normalisation": IMAGENET, **options}
    return evaluate.evaluate(network, find_pairs(scenes, "train"), **options)


def test_parts_add_up_to_the_whole(network: paddle.nn.Layer, scenes: Path) -> None:
    pairs = find_pairs(scenes, "train")
    whole = judged(network, scenes, scale=(0.5, 1.0), flip=True)
    parts = [
        evaluate.evaluate(
            network, evaluate.part_of(pairs, number, 3),
            scale=(0.5, 1.0), normalisation=IMAGENET, flip=True,
        )
        for number in range(3)
    ]  # fmt: skip
    stored = [Evaluation.from_json(part.to_json()) for part in parts]
    together = stored[0] + stored[1] + stored[2]
    assert together.matrix.dtype == np.int64
    np.testing.assert_array_equal(together.matrix, whole.matrix)
    assert together.to_json() == whole.to_json()
    with pytest.raises(ValueError, match="differently"):
        _ = parts[0] + replace(parts[1], flip=False)
    with pytest.raises(InputError, match="none of 4"):
        evaluate.part_of(pairs, 4, 5)


def test_views_are_summed_as_the_authors_do(network: paddle.nn.Layer, scenes: Path) -> None:
    image = read_image(find_pairs(scenes, "val")[0].image)
    x = paddle.to_tensor(IMAGENET.apply(image)[None])
    total = np.zeros((1, 19, 64, 96))
    resize = {"mode": "bilinear", "align_corners": True}
    for size in ([32, 48], [64, 96]):
        small = F.interpolate(x, size=size, **resize) if size != [64, 96] else x
        for mirrored in (False, True):
            seen = small.numpy()[..., ::-1] if mirrored else small.numpy()
            said = network(paddle.to_tensor(np.ascontiguousarray(seen))).numpy()
            said = np.ascontiguousarray(said[..., ::-1]) if mirrored else said
            logits = F.interpolate(paddle.to_tensor(said), size=[64, 96], **resize).numpy()
            shares = np.exp(logits - logits.max(1, keepdims=True))
            total += shares / shares.sum(1, keepdims=True)
    found = inference.predict(network, image, scale=(0.5, 1.0), normalisation=IMAGENET, flip=True)
    assert (found == total.argmax(1)[0]).mean() > 0.999
    once = inference.predict(network, image, scale=0.5, normalisation=IMAGENET)
    assert (found != once).any()


def test_every_file_is_read_once(
    network: paddle.nn.Layer, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    whole = Image.open

    def noting(path: Path) -> Image.Image:
        opened.append(Path(path).name)
        return whole(path)

    monkeypatch.setattr(Image, "open", noting)
    judged(network, scenes)
    assert len(opened) == len(set(opened)) == 8


def test_all_damaged_files_are_listed(
    network: paddle.nn.Layer, scenes: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(scenes, tmp_path / "copy"))
    first, second = (pair.labels for pair in find_pairs(copy, "train")[:2])
    first.write_bytes(b"no picture")
    values = np.array(Image.open(second))
    values[0, 0] = 77
    Image.fromarray(values).save(second)
    with pytest.raises(InputError) as told:
        judged(network, copy)
    assert f"{first}: unreadable" in str(told.value)
    assert f"{second}: unknown label values [77]" in str(told.value)


def test_the_matrix_as_table_and_picture(
    network: paddle.nn.Layer, scenes: Path, tmp_path: Path
) -> None:
    result = judged(network, scenes)
    confusion.write_csv(tmp_path / "m.csv", result)
    with (tmp_path / "m.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert tuple(head[1:]) == tuple(row[0] for row in rows) == CLASS_NAMES
    assert np.array([row[1:] for row in rows], int).tolist() == result.matrix.tolist()
    confusion.draw(tmp_path / "m.png", result)
    with Image.open(tmp_path / "m.png") as picture:
        assert min(picture.size) > 500
        assert picture.format == "PNG"


def test_the_evaluator_of_the_labels_themselves(scenes: Path) -> None:
    matrix = sum(
        evaluate.confusion(read_labels(pair), np.minimum(read_labels(pair), 18), 19)
        for pair in find_pairs(scenes, "train")
    )
    assert Evaluation(np.asarray(matrix), 4, (1.0,)).miou == 1
