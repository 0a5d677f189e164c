"""Every format computes what was trained; one that does not is seen, and nothing stays."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner

from converters.errors import InputError
from stdc_port.cli import main
from stdc_port.export import formats, place, writing
from stdc_port.export.compare import Export
from stdc_port.export.folding import TRAINING_HEADS, Norm, Reduction, fold
from stdc_port.export.latency import latency
from stdc_port.export.paddle_side import reduced, save_inference
from stdc_port.export.quiet import held_back
from stdc_port.paddle_nets import build
from stdc_port.training.augmentation import IMAGENET

ALL = tuple(formats.FORMATS)
HERE = {name for name in ALL if all(find_spec(need) for need in formats.FORMATS[name].needs)}


@pytest.fixture(scope="module")
def network() -> Any:
    """A network with statistics as training leaves them; some scales are negative."""
    paddle.seed(5)
    found = build("stdc1-seg")
    random = np.random.default_rng(5)
    for layer in found.sublayers():
        if isinstance(layer, paddle.nn.BatchNorm2D):
            size = tuple(layer.weight.shape)
            layer.weight.set_value(random.normal(0.8, 0.4, size).astype(np.float32))
            layer.bias.set_value(random.normal(0, 0.2, size).astype(np.float32))
            layer._mean.set_value(random.normal(0, 0.2, size).astype(np.float32))
            layer._variance.set_value(random.uniform(0.5, 2, size).astype(np.float32))
    found.eval()
    return found


@pytest.fixture(scope="module")
def inputs() -> Any:
    return writing.pictures([], (96, 64), IMAGENET, count=2)


@pytest.fixture(scope="module", params=[Reduction(), Reduction(drop_heads=True, fold_norms=True)])
def exported(
    request: pytest.FixtureRequest, network: Any, inputs: Any, tmp_path_factory: Any
) -> Export:
    output = tmp_path_factory.mktemp("export") / "out"
    return writing.export(network, "stdc1", output, ALL, inputs, reduction=request.param)


def test_every_format_is_equal(exported: Export) -> None:
    assert exported
    assert {row.format for row in exported.rows} == HERE
    assert {*exported.left} == {*ALL} - HERE
    assert all(row.difference < 5e-6 and row.pixels < 1e-3 for row in exported.rows)
    folder = exported.exported.folder
    written = {file for row in exported.rows for file in row.files}
    assert {path.name for path in folder.iterdir()} == {*written, place.NOTE}
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("variant", ["paddleseg", "mmseg"])
def test_a_variant_is_exported_as_itself(variant: str, inputs: Any, tmp_path: Path) -> None:
    paddle.seed(7)
    other = build("stdc1-seg", variant=variant)
    other.eval()
    options = {"reduction": Reduction(fold_norms=True), "variant": variant}
    assert writing.export(other, "stdc1", tmp_path / "out", ["torch"], inputs, **options)


def test_what_was_left_out_is_in_no_file(exported: Export) -> None:
    keys = torch.load(exported.exported.folder / "network.pth", weights_only=True).keys()
    heads = [key for key in keys if key.split(".")[0] in TRAINING_HEADS]
    classifier = [key for key in keys if ".backbone.linear" in key]
    norms = [key for key in keys if key.endswith("running_var")]
    dropped = exported.exported.reduction.drop_heads
    assert [bool(heads), bool(classifier), bool(norms)] == [not dropped] * 3


def test_an_export_is_read_again_and_timed(exported: Export, inputs: Any) -> None:
    found, names = place.read_export(exported.exported.folder)
    assert (found, {*names}) == (exported.exported, HERE)
    runners = {name: formats.FORMATS[name].load(found, 1) for name in names}
    result = latency(runners, inputs[0][0], threads=1, runs=2, warm_up=1)
    assert {name: len(taken) for name, taken in result.seconds.items()} == dict.fromkeys(HERE, 2)
    assert (result.size, set(result.to_json()["median"])) == ((96, 64), HERE)


def test_a_wrong_file_is_seen_and_nothing_stays(
    network: Any, inputs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = formats.FORMATS["torch"]

    def wrong(exported: formats.Exported, trained: Any, small: Any) -> None:
        right.write(exported, trained, small)
        path = exported.folder / "network.pth"
        state = torch.load(path, weights_only=True)
        state["ffm.convblk.bn.weight"] *= 1.001
        torch.save(state, path)

    monkeypatch.setattr(
        formats, "FORMATS", {**formats.FORMATS, "torch": replace(right, write=wrong)}
    )
    for module in ("compare", "writing"):
        monkeypatch.setattr(f"stdc_port.export.{module}.FORMATS", formats.FORMATS)
    result = writing.export(
        network, "stdc1", tmp_path / "out", ["torch"], inputs, reduction=Reduction()
    )
    assert not result
    assert result.rows[0].difference > 1e-5
    assert list(tmp_path.iterdir()) == []


def test_folding_is_exact_in_double_precision() -> None:
    random = np.random.default_rng(2)
    weight, x = random.normal(size=(4, 3, 1, 1)), random.normal(size=(3, 50))
    parts = [random.normal(size=4) for _ in range(4)]
    norm = Norm(parts[0], parts[1], parts[2], np.abs(parts[3]) + 0.1, 1e-5)
    folded, shift = fold(weight, None, norm)
    plain = weight[..., 0, 0] @ x
    wanted = (plain - norm.mean[:, None]) / np.sqrt(norm.variance + 1e-5)[:, None]
    wanted = wanted * norm.scale[:, None] + norm.shift[:, None]
    np.testing.assert_allclose(folded[..., 0, 0] @ x + shift[:, None], wanted, rtol=1e-12)
    wrong, _ = fold(weight, None, replace(norm, epsilon=1e-3))
    assert not np.allclose(wrong, folded, rtol=1e-6)


def test_the_trained_network_stays_as_it_is(network: Any) -> None:
    before = {key: value.numpy().copy() for key, value in network.state_dict().items()}
    small = reduced(network, Reduction(drop_heads=True, fold_norms=True))
    assert not [layer for layer in small.sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[key], after[key].numpy()) for key in before)


def test_the_commands(network: Any, tmp_path: Path) -> None:
    def run(*words: object) -> Any:
        return CliRunner().invoke(main, [str(word) for word in words])

    paddle.save(network.state_dict(), str(tmp_path / "w.pdparams"))
    asked = ["export", "--weights", tmp_path / "w.pdparams", "-o", tmp_path / "out", "--size",
             "64x64", "--pictures", 1, "--format", "torch"]  # fmt: skip
    made = run(*asked, "--json", tmp_path / "r.json")
    assert made.exit_code == 0, made.output
    assert json.loads((tmp_path / "r.json").read_text())["formats"][0]["equal"]
    assert "--force replaces it" in run(*asked).output
    timed = run("bench", tmp_path / "out", "--size", "64x64", "--runs", 1)
    assert timed.exit_code == 0, timed.output
    assert "threads: 1" in timed.output
    assert run("bench", tmp_path).exit_code == 2
    again = run(*asked, "--force")
    assert again.exit_code == 0, again.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "r.json", "w.pdparams"]
    (tmp_path / "out/network.pth").write_bytes(b"")
    damaged = run("bench", tmp_path / "out")
    assert damaged.exit_code == 2
    assert "network.pth: is not the file that was compared" in damaged.output
    (tmp_path / "out/network.pth").unlink()
    assert "network.pth: is missing" in run("bench", tmp_path / "out").output


def test_a_signal_amid_tracing_ends_the_export_without_a_word(
    network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Paddle would make words of its own of the exit code."""
    traced = []

    def stopped(*_: object, **__: object) -> None:
        os.write(1, b"a trace")
        signal.raise_signal(signal.SIGTERM)
        traced.append(True)

    monkeypatch.setattr(paddle.jit, "save", stopped)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with pytest.raises(SystemExit) as ended:
        save_inference(network, tmp_path / "network")
    signal.signal(signal.SIGTERM, before)
    assert (ended.value.code, traced) == (143, [True])
    assert capfd.readouterr() == ("", "")


def test_what_a_library_printed_is_shown_if_it_fails(capfd: pytest.CaptureFixture[str]) -> None:
    @held_back()
    def fails() -> None:
        os.write(1, b"its reason")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fails()
    assert "its reason" in capfd.readouterr().err


def test_places_that_are_taken(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="no export"):
        place.check_place(tmp_path, force=True)
    with pytest.raises(InputError, match="no folder"):
        place.check_place(tmp_path / "a" / "b", force=False)
