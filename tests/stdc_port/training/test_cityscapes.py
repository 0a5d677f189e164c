"""Everything wrong with a folder is told at once, before training."""

from __future__ import annotations

import os
import shutil
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.errors import InputError
from stdc_port.training.cityscapes import (
    check_pairs,
    find_pairs,
    read_image,
    read_label_values,
    read_labels,
)
from stdc_port.training.labels import LABELS, TRAIN_ID_OF_ID, TRAINED


@pytest.fixture
def broken(scenes: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scenes, tmp_path / "copy"))


def _labels(root: Path) -> list[Path]:
    return sorted(root.glob("gtFine/train/*/*_labelIds.png"))


def test_the_label_table() -> None:
    assert [row.train_id for row in TRAINED] == list(range(19))
    assert [row.id for row in LABELS] == list(range(34))
    assert TRAIN_ID_OF_ID[[7, 11, 26, 33, 0, 29]].tolist() == [0, 2, 13, 18, 255, 255]


def test_pairs_by_name(scenes: Path) -> None:
    pairs = find_pairs(scenes, "train")
    assert len(pairs) == 4
    assert all(pair.labels.name.startswith(pair.name) for pair in pairs)
    check_pairs(scenes, pairs)


def test_lists_missing_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        find_pairs(tmp_path, "train")
    assert "leftImg8bit/train" in str(told.value)
    assert "gtFine/train" in str(told.value)
    assert "2 problems" in str(told.value)


def test_lists_partners_missing_on_either_side(broken: Path) -> None:
    labels = _labels(broken)
    labels[0].unlink()
    image = sorted(broken.glob("leftImg8bit/train/*/*.png"))[1]
    image.unlink()
    with pytest.raises(InputError) as told:
        find_pairs(broken, "train")
    assert labels[0].name in str(told.value)
    assert image.name in str(told.value)


def test_lists_unreadable_wrongly_sized_and_unknown_labels(broken: Path) -> None:
    labels = _labels(broken)
    labels[0].write_bytes(labels[0].read_bytes()[:60])
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(labels[1])
    values = np.array(Image.open(labels[2]))
    values[3, 4] = 77
    Image.fromarray(values).save(labels[2])
    with pytest.raises(InputError) as told:
        check_pairs(broken, find_pairs(broken, "train"))
    message = str(told.value)
    assert "3 problems" in message
    assert f"{labels[0]}: unreadable" in message
    assert "expected 96×64 pixels as its picture, found 12×10" in message
    assert f"{labels[2]}: unknown label values [77]" in message


def test_train_id_pictures_win(broken: Path) -> None:
    labels = _labels(broken)[0]
    expected = TRAIN_ID_OF_ID[np.array(Image.open(labels))]
    changed = np.where(expected == 0, 1, expected).astype(np.uint8)
    Image.fromarray(changed).save(labels.with_name(labels.name.replace("Ids", "TrainIds")))
    first, second, *_ = find_pairs(broken, "train")
    assert first.train_ids
    assert not second.train_ids
    assert np.array_equal(read_labels(first), changed)


def test_label_ids_in_a_train_id_picture_are_unknown(broken: Path) -> None:
    labels = _labels(broken)[0]
    shutil.copy(labels, labels.with_name(labels.name.replace("Ids", "TrainIds")))
    with pytest.raises(InputError, match="known are 0-18 and 255"):
        check_pairs(broken, find_pairs(broken, "train"))


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def test_pictures_are_read_as_pillow_reads_them(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    colours = random.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    palette = Image.fromarray(colours).quantize(16)
    palette.save(tmp_path / "palette.png")
    files = [
        saved(tmp_path / "plain.png", colours),
        saved(tmp_path / "flat.png", colours, compress_level=0),
        saved(tmp_path / "transparent.png", colours, transparency=(1, 2, 3)),
        saved(tmp_path / "alpha.png", random.integers(0, 256, (20, 30, 4)).astype(np.uint8)),
        saved(tmp_path / "grey.png", colours[..., 0]),
        saved(tmp_path / "picture.jpg", colours),
        tmp_path / "palette.png",
    ]
    for path in files:
        with Image.open(path) as image:
            wanted = np.asarray(image.convert("RGB"))
        assert np.array_equal(np.asarray(read_image(path)), wanted), path.name


def grey_png(path: Path, values: np.ndarray, bits: int) -> Path:
    """Write a grey PNG of fewer than 8 bits a pixel, which Pillow does not."""
    rows = np.unpackbits(values[..., None], axis=2)[..., 8 - bits :].reshape(len(values), -1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in np.packbits(rows, axis=1)))
    head = struct.pack(">IIBBBBB", *values.shape[::-1], bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
            for kind, body in chunks
        )
    )
    return path


def test_label_pictures_of_every_kind_are_read_as_pillow_does(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    values = random.integers(0, 34, (20, 30)).astype(np.uint8)
    palette = Image.fromarray(values, "L").convert("P")
    palette.putdata(values.ravel().tolist())
    palette.save(tmp_path / "palette.png")
    files = [
        saved(tmp_path / "plain.png", values),
        saved(tmp_path / "transparent.png", values, transparency=3),
        tmp_path / "palette.png",
        *(grey_png(tmp_path / f"{bits}.png", values % 2**bits, bits) for bits in (2, 4)),
    ]
    for path in files:
        with Image.open(path) as image:
            assert np.array_equal(read_label_values(path), np.asarray(image)), path.name
    assert np.array_equal(read_label_values(files[0]), values)
    assert np.array_equal(read_label_values(files[2]), values)


def test_the_fast_decoder_is_used_and_left_where_it_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a.png", np.full((4, 6, 3), 7, np.uint8))
    monkeypatch.setattr("imagecodecs.png_decode", lambda _: np.full((4, 6, 3), 9, np.uint8))
    assert np.asarray(read_image(path)).max() == 9
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    assert np.asarray(read_image(path)).max() == 7


def test_a_picture_cut_off_is_an_error_of_the_file(tmp_path: Path) -> None:
    random = np.random.default_rng(4).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = saved(tmp_path / "a.png", random)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(OSError, match="truncated"):
        read_image(path)


def bomb(path: Path, side: int) -> None:
    """Write the beginning of a PNG that says it is a square of so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    content = (
        chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(1 << 16))) + chunk(b"IEND", b"")
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def test_pictures_that_unpack_without_end_or_are_waited_for_are_told(broken: Path) -> None:
    first, second = sorted(broken.glob("leftImg8bit/train/*/*.png"))[:2]
    bomb(first, 100_000)
    second.unlink()
    os.mkfifo(second)
    with pytest.raises(InputError) as refused:
        check_pairs(broken, find_pairs(broken, "train"))
    assert "10000000000 pixels" in str(refused.value)
    assert f"{second.relative_to(broken)}: unreadable (is no regular file)" in str(refused.value)
