"""The facts of the specification, and the refusal of unknown names."""

import pytest

from stdc_port import spec


@pytest.mark.parametrize(
    ("name", "slices"),
    [
        ("stdc1", {"x2": (0, 1), "x4": (1, 2), "x8": (2, 4), "x16": (4, 6), "x32": (6, 8)}),
        ("stdc2", {"x2": (0, 1), "x4": (1, 2), "x8": (2, 6), "x16": (6, 11), "x32": (11, 14)}),
    ],
)
def test_the_slices_of_the_five_maps(name, slices):
    assert spec.BACKBONES[name].map_slices() == slices


def test_the_first_block_of_a_stage_halves():
    blocks = spec.BACKBONES["stdc2"].blocks()
    assert [block.stride for block in blocks] == [2, 1, 1, 1, 2, 1, 1, 1, 1, 2, 1, 1]
    assert [block.in_channels for block in blocks][:5] == [64, 256, 256, 256, 256]
    assert [block.out_channels for block in blocks][-4:] == [512, 1024, 1024, 1024]


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_the_widths_of_a_bottleneck_sum_to_its_output(number):
    widths = spec.bottleneck_widths(256, number)
    assert len(widths) == number
    assert sum(widths) == 256
    assert widths[-1] == widths[-2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "stdc3"}, "unknown arch 'stdc3': choose one of stdc1, stdc2"),
        ({"arch": "stdc1", "variant": "mm"}, "unknown variant 'mm': choose one of authors"),
        ({"arch": "stdc1", "block": "sum"}, "unknown block 'sum': choose one of cat, add"),
        ({"arch": "stdc1", "num_classes": 0}, "num_classes must be at least 1, got 0"),
    ],
)
def test_unknown_names_are_refused_with_the_valid_ones(options, message):
    with pytest.raises(ValueError, match=message):
        spec.resolve(**options)


def test_classes_by_default():
    assert spec.resolve("stdc2").num_classes == 1000
    assert spec.resolve("stdc2-seg").num_classes == 19
