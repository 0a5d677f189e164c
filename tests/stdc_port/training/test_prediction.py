"""Predictions as files: names kept, nothing lost, a run that was cut off goes on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.errors import InputError
from stdc_port.training.labels import COLOUR_OF_TRAIN_ID, ID_OF_TRAIN_ID
from stdc_port.training.prediction import KINDS, NOTE, Frame, claim, find_frames, predict_frames


def bands(image: Image.Image) -> np.ndarray:
    """(H, W) train ids that depend on the picture: stands for a network."""
    return (np.asarray(image)[..., 0] % 19).astype(np.uint8)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Frames of two films in folders of their own, with equal names."""
    for folder, count in (("a", 2), ("b/c", 1)):
        (tmp_path / "film" / folder).mkdir(parents=True)
        for number in range(count):
            pixels = np.random.default_rng([number, count]).integers(0, 256, (8, 12, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "film" / folder / f"{number:06d}.png")
    return tmp_path / "film"


def test_names_are_kept_and_values_right(film: Path, tmp_path: Path) -> None:
    output, frames = tmp_path / "out", find_frames(film)
    claim(output, frames, {"weights": 1}, force=False)
    result = predict_frames(bands, frames, output)
    assert result.written == ("a/000000.png", "a/000001.png", "b/c/000000.png")
    for name in result.written:
        image = Image.open(film / name)
        found = {kind: np.asarray(Image.open(output / kind / name)) for kind in KINDS}
        np.testing.assert_array_equal(found["trainIds"], bands(image))
        np.testing.assert_array_equal(found["labelIds"], ID_OF_TRAIN_ID[bands(image)])
        half = (np.asarray(image, int) + COLOUR_OF_TRAIN_ID[bands(image)]) / 2
        assert np.abs(found["overlays"] - half).max() <= 1


def test_a_run_that_was_cut_off_goes_on(film: Path, tmp_path: Path) -> None:
    output, frames = tmp_path / "out", find_frames(film)
    claim(output, frames, {"weights": 1}, force=False)

    def cut_off(image: Image.Image) -> np.ndarray:
        if len(list(output.glob("trainIds/*/*.png"))) == 1:
            raise KeyboardInterrupt
        return bands(image)

    with pytest.raises(KeyboardInterrupt):
        predict_frames(cut_off, frames, output)
    claim(output, frames, {"weights": 1}, force=False)
    result = predict_frames(bands, frames, output)
    assert (len(result.kept), len(result.written)) == (1, 2)
    assert not list(output.rglob("*.part"))
    newer = output.joinpath("overlays/a/000000.png").stat().st_mtime_ns + 10**9
    os.utime(film / "a/000000.png", ns=(newer, newer))
    assert predict_frames(bands, frames, output).written == ("a/000000.png",)


def test_nothing_of_others_is_replaced(film: Path, tmp_path: Path) -> None:
    output, frames = tmp_path / "out", find_frames(film)
    claim(output, frames, {"weights": 1}, force=False)
    predict_frames(bands, frames, output)
    with pytest.raises(InputError, match="other weights or settings"):
        claim(output, frames, {"weights": 2}, force=False)
    (output / NOTE).unlink()
    with pytest.raises(InputError, match="9 files would be replaced"):
        claim(output, frames, {"weights": 2}, force=False)
    claim(output, frames, {"weights": 2}, force=True)
    assert len(list(output.rglob("*.png"))) == 9  # each stays until another takes its place
    assert len(predict_frames(bands, frames, output).written) == 3
    assert len(predict_frames(bands, frames, output).kept) == 3


def test_unreadable_pictures_are_listed_after_the_others(film: Path, tmp_path: Path) -> None:
    (film / "a/000000.png").write_bytes(b"no picture")
    output, frames = tmp_path / "out", find_frames(film)
    claim(output, frames, {}, force=False)
    with pytest.raises(InputError, match=r"1 of 3 pictures(.|\n)*a/000000.png: unreadable"):
        predict_frames(bands, frames, output)
    assert len(list(output.rglob("labelIds/**/*.png"))) == 2


def test_what_is_no_set_of_pictures(film: Path, tmp_path: Path) -> None:
    assert find_frames(film / "a/000000.png") == [Frame(film / "a/000000.png", Path("000000.png"))]
    (tmp_path / "x.mp4").write_bytes(b"film")
    with pytest.raises(InputError, match=r"ffmpeg -i x\.mp4"):
        find_frames(tmp_path / "x.mp4")
    (film / "a/000000.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"000000\.jpg and 000000\.png"):
        find_frames(film)
    with pytest.raises(InputError, match="no picture"):
        find_frames(tmp_path / "nowhere")
