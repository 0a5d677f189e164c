"""First weights: every key accounted for, nothing half-fitting."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
import torch
from paddle_building import blank

from converters import InputError, RefusedError, convert_file, convert_state_dict
from stdc_port import torch_nets
from stdc_port.paddle_nets import build
from stdc_port.training.augmentation import Normalisation
from stdc_port.training.inference import load_network
from stdc_port.training.initialise import initialise
from stdc_port.training.state import network_arrays


def _seeded(network: Any) -> dict[str, np.ndarray]:
    """Another seed for every tensor, so that no two may be exchanged unnoticed."""
    state = network.state_dict()
    for seed, tensor in enumerate(state.values()):
        values = np.random.default_rng(seed).random(tuple(tensor.shape), np.float32)
        tensor.set_value(values)
    return network_arrays(network)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    network = blank("stdc1", num_classes=7)
    arrays = _seeded(network)
    path = tmp_path_factory.mktemp("weights") / "classifier.pdparams"
    paddle.save(network.state_dict(), str(path))
    return path, arrays


def test_a_classifier_fills_the_backbone(classifier: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, arrays = classifier
    network = build("stdc1-seg")
    before = network_arrays(network)
    report = initialise(network, path)
    after = network_arrays(network)
    for key, array in arrays.items():
        if key.startswith("features."):
            assert np.array_equal(after[f"cp.backbone.{key}"], array)
    assert all(np.array_equal(after[key], before[key]) for key in report.fresh)
    assert sorted([*report.loaded, *report.fresh]) == sorted(after)
    assert len(report.loaded) + len(report.dropped) == len(arrays)
    heads = {drop.key.split(".")[0] for drop in report.dropped}
    assert heads == {"conv_last", "fc", "bn", "linear"}
    assert {drop.reason for drop in report.dropped} == {"the classifier's own head"}


def test_a_segmentation_network_fills_everything(tmp_path: Path) -> None:
    source, target = blank("stdc1-seg"), blank("stdc1-seg")
    arrays = _seeded(source)
    paddle.save(source.state_dict(), str(tmp_path / "seg.pdparams"))
    report = initialise(target, tmp_path / "seg.pdparams")
    assert report.fresh == report.dropped == ()
    assert all(np.array_equal(value, arrays[key]) for key, value in network_arrays(target).items())


def test_scratch_touches_nothing() -> None:
    network = build("stdc1-seg")
    before = network_arrays(network)
    report = initialise(network, None)
    assert report.loaded == ()
    assert len(report.fresh) == len(before)


def refusal(network: paddle.nn.Layer, file: Path, *, match: str) -> str:
    """Give the reason why a file is refused, which changes nothing."""
    before = network_arrays(network)
    with pytest.raises(RefusedError, match=match) as told:
        initialise(network, file)
    assert all(np.array_equal(v, before[key]) for key, v in network_arrays(network).items())
    return str(told.value)


def test_another_depth_is_refused_and_nothing_changed(
    classifier: tuple[Path, dict[str, np.ndarray]],
) -> None:
    told = refusal(blank("stdc2-seg"), classifier[0], match="--model")
    assert "for cp.backbone.features." in told


def test_nothing_that_matches_is_refused(tmp_path: Path) -> None:
    paddle.save({"layer.weight": paddle.ones([2, 2])}, str(tmp_path / "other.pdparams"))
    with pytest.raises(RefusedError, match=r"layer\.weight"):
        initialise(blank("stdc1-seg"), tmp_path / "other.pdparams")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.pdparams"):
        initialise(blank("stdc1-seg"), tmp_path / "none.pdparams")


def test_a_torch_file_is_converted_on_the_way(tmp_path: Path) -> None:
    torch.manual_seed(3)
    theirs = torch_nets.build("stdc1", num_classes=5)
    torch.save({"state_dict": theirs.state_dict()}, tmp_path / "theirs.tar")
    network = build("stdc1-seg")
    report = initialise(network, tmp_path / "theirs.tar")
    wanted = convert_state_dict(theirs.state_dict(), blank("stdc1", num_classes=5))
    after = network_arrays(network)
    assert len(report.loaded) == 145
    assert all(
        np.array_equal(after[f"cp.backbone.{key}"], array)
        for key, array in wanted.items()
        if key.startswith("features.")
    )


@pytest.fixture(scope="module")
def paddleseg(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """A file in PaddleSeg's own names."""
    folder = tmp_path_factory.mktemp("paddleseg")
    network = build("stdc1-seg", variant="paddleseg")
    arrays = _seeded(network)
    paddle.save(network.state_dict(), str(folder / "ours.pdparams"))
    convert_file(
        folder / "ours.pdparams", folder / "theirs.pdparams", layout="paddleseg",
        variant="paddleseg",
    )  # fmt: skip
    return folder / "theirs.pdparams", arrays


def test_paddlesegs_file_fills_its_own_variant(
    paddleseg: tuple[Path, dict[str, np.ndarray]],
) -> None:
    path, arrays = paddleseg
    network = build("stdc1-seg", variant="paddleseg")
    half = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    report = initialise(network, path, variant="paddleseg", normalisation=half)
    assert report.variant == "paddleseg"
    after = network_arrays(network)
    assert report.loaded
    assert all(np.array_equal(after[key], arrays[key]) for key in report.loaded)
    assert {key.split(".")[2] for key in report.fresh} == {"fc", "bn", "linear"}


def test_another_variant_or_normalisation_is_refused(
    paddleseg: tuple[Path, dict[str, np.ndarray]],
) -> None:
    told = refusal(blank("stdc1-seg"), paddleseg[0], match="--set variant=paddleseg")
    assert "pool_counts_padding" in told
    with pytest.raises(RefusedError, match=r"data\.mean=\[0\.5, 0\.5, 0\.5\]"):
        initialise(blank("stdc1-seg", variant="paddleseg"), paddleseg[0], variant="paddleseg")


def test_another_number_of_classes_is_told(tmp_path: Path) -> None:
    source = blank("stdc1-seg", num_classes=7)
    arrays = _seeded(source)
    paddle.save(source.state_dict(), str(tmp_path / "seven.pdparams"))
    network = build("stdc1-seg")
    before = network_arrays(network)
    report = initialise(network, tmp_path / "seven.pdparams")
    heads = {"conv_out.conv_out.weight", "conv_out16.conv_out.weight", "conv_out32.conv_out.weight"}
    assert set(report.fresh) == heads
    assert {drop.key for drop in report.dropped} == heads
    assert all("7 classes in the file, 19 here" in drop.reason for drop in report.dropped)
    after = network_arrays(network)
    assert all(np.array_equal(after[key], before[key]) for key in heads)
    assert np.array_equal(after["conv_out.conv.conv.weight"], arrays["conv_out.conv.conv.weight"])


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize(
    "read",
    [lambda path: initialise(blank("stdc1-seg"), path), lambda path: load_network(path, "stdc1")],
    ids=["to train", "to look"],
)
def test_weights_that_are_no_numbers_are_refused(
    tmp_path: Path, value: float, read: Callable[[Path], Any]
) -> None:
    """Paddle's ReLU hides them: the logits of such a network are finite."""
    network = build("stdc1-seg")
    arrays = _seeded(network)
    arrays["cp.backbone.features.0.conv.weight"][0, 1, 2, 2] = value
    network.set_state_dict(arrays)
    path = tmp_path / "seg.pdparams"
    paddle.save(network.state_dict(), str(path))
    problem = r"features\.0\.conv\.weight: 1 of 864 values are NaN or infinite"
    with pytest.raises(RefusedError, match="are no numbers") as refused:
        read(path)
    assert re.search(problem, "\n".join(refused.value.problems))
