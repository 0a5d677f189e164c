"""A part of a resized picture has the bits of a cut from the whole resized one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from plain_pipeline import plainly

from stdc_port.training.augmentation import Augmentation, mask, mean_grey, picture, sample_rng
from stdc_port.training.resample import nearest, needed, span, whole

EIGHTHS = tuple(n / 8 for n in range(1, 13))
SEED = st.integers(0, 2**31)


def noise(width: int, height: int, seed: int) -> tuple[Image.Image, np.ndarray]:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Image.fromarray(pixels), random.integers(0, 256, (height, width)).astype(np.uint8)


@given(width=st.integers(1, 90), height=st.integers(1, 90), crop=st.integers(1, 40), seed=SEED)
def test_only_what_is_needed_gives_what_all_gives(
    width: int, height: int, crop: int, seed: int
) -> None:
    image, labels = noise(width, height, seed)
    drawn = Augmentation((crop, 24), EIGHTHS, (0.5, 0.5, 0.5), 0.5).draw(
        image.size, sample_rng(seed, 0, 0)
    )
    wanted, cropped = plainly(image, labels, drawn)
    assert np.array_equal(np.asarray(picture(image, drawn)), np.asarray(wanted))
    assert np.array_equal(mask(labels, drawn), cropped)


@given(width=st.integers(1, 12), height=st.integers(1, 12), seed=SEED)
def test_so_it_does_where_sizes_have_periods(width: int, height: int, seed: int) -> None:
    image, labels = noise(16 * width, 16 * height, seed)
    drawn = Augmentation((20, 12), EIGHTHS, (0.5, 0.5, 0.5), 0.5).draw(
        image.size, sample_rng(seed, 0, 0)
    )
    wanted, cropped = plainly(image, labels, drawn)
    assert np.array_equal(np.asarray(picture(image, drawn)), np.asarray(wanted))
    assert np.array_equal(mask(labels, drawn), cropped)


def test_of_a_large_picture_little_is_read() -> None:
    for eighths in range(4, 13):
        new = 2048 * eighths // 8
        across = span(2048, new, new - 1024, new)
        read = across.read[1] - across.read[0]
        assert read <= 1024 * 8 / eighths + 24
        assert across.read[1] == 2048


def test_a_window_out_of_step_is_another_picture() -> None:
    image, _ = noise(64, 64, 1)
    across, down = needed(image.size, (40, 40), (8, 8, 24, 24))
    left, right = across.read
    moved = image.crop((left + 1, down.read[0], right + 1, down.read[1]))
    right_one = image.crop((left, down.read[0], right, down.read[1]))
    size = (across.size, down.size)
    cut = (across.skip, down.skip, across.skip + 16, down.skip + 16)
    wanted = np.asarray(whole(image, (40, 40)).crop((8, 8, 24, 24)))
    assert np.array_equal(np.asarray(whole(right_one, size).crop(cut)), wanted)
    assert not np.array_equal(np.asarray(whole(moved, size).crop(cut)), wanted)


@given(old=st.integers(1, 300), new=st.integers(1, 300))
def test_nearest_is_pillows(old: int, new: int) -> None:
    labels = (np.arange(old) % 251).astype(np.uint8)[None]
    wanted = Image.fromarray(labels).resize((new, 1), Image.Resampling.NEAREST)
    assert np.array_equal(labels[0][nearest(old, new)], np.asarray(wanted)[0])


def test_contrast_is_of_the_whole_picture_not_of_the_crop() -> None:
    dark = Image.new("RGB", (32, 16), (10, 20, 30))
    dark.paste((250, 240, 230), (0, 0, 16, 16))
    assert mean_grey(dark, 1.0) == 130
    assert mean_grey(dark.crop((16, 0, 32, 16)), 1.0) == 18
