"""Whole conversions that are refused: nothing is written, nothing is left."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest
import safetensors.numpy
import torch
from samples import bits, trained

from converters import ConverterError, InputError, RefusedError, convert_file, read_checkpoint
from converters.formats import pdparams
from converters.formats.writers import BY_SUFFIX


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Return a classifier's state dict as the authors publish it."""
    return trained("stdc1", num_classes=11).state_dict()


@pytest.fixture(scope="module")
def file(state, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("source") / "stdc1.pth"
    torch.save(state, path)
    return path


def left_over(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_all_problems_at_once_and_nothing_written(state, tmp_path):
    changed = dict(state)
    del changed["conv_last.conv.weight"]
    changed["fc.weight"] = changed["fc.weight"][:5]
    changed["head.weight"] = torch.ones(2)
    alias = "x4.0.1.conv.weight"
    changed[alias] = changed[alias] + 1
    torch.save(changed, tmp_path / "a.pth")
    with pytest.raises(RefusedError) as caught:
        convert_file(tmp_path / "a.pth")
    for what in ("conv_last.conv.weight", "fc.weight", "head.weight", alias):
        assert sum(repr(what) in problem for problem in caught.value.problems) == 1
    assert len(caught.value.problems) == 4
    assert left_over(tmp_path) == {"a.pth"}
    report = convert_file(tmp_path / "a.pth", strict=False)
    assert len(report.problems) == 4
    assert "conv_last.conv.weight" not in read_checkpoint(tmp_path / "a.pdparams")


def test_an_existing_target_stays_without_force(file, tmp_path):
    target = tmp_path / "a.pdparams"
    target.write_text("mine")
    with pytest.raises(InputError, match="exists already; --force replaces it"):
        convert_file(file, target)
    assert target.read_text() == "mine"
    convert_file(file, target, force=True)
    assert read_checkpoint(target).format == "pdparams"
    assert left_over(tmp_path) == {"a.pdparams"}


@pytest.mark.parametrize("link", [False, True])
def test_the_source_is_never_the_target(state, tmp_path, link):
    source = tmp_path / "a.pdparams"
    torch.save(state, source)
    target = source
    if link:
        target = tmp_path / "b.pdparams"
        target.symlink_to(source)
    before = source.read_bytes()
    with pytest.raises(InputError, match="source and target are the same file"):
        convert_file(source, target, force=True)
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("a.onnx", "unknown suffix '.onnx'"),
        ("a.pth", "does not fit --to paddle; use .pdparams"),
        ("no/a.pdparams", "there is no folder"),
    ],
)
def test_targets_that_cannot_be(file, tmp_path, target, message):
    with pytest.raises(InputError, match=message):
        convert_file(file, tmp_path / target)
    assert left_over(tmp_path) == set()


def test_a_folder_that_cannot_be_written_to(file):
    with pytest.raises(InputError, match=r"/proc/a\.pdparams: cannot be written"):
        convert_file(file, "/proc/a.pdparams")


def test_a_disk_that_fills_up(file, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    (tmp_path / "a.pdparams").write_text("old")
    with pytest.raises(InputError, match=r"not written .No space left on device"):
        convert_file(file, tmp_path / "a.pdparams", force=True)
    assert (tmp_path / "a.pdparams").read_text() == "old"
    assert left_over(tmp_path) == {"a.pdparams"}


def test_a_file_that_was_not_written_as_planned(file, tmp_path, monkeypatch):
    def damaged(file, content):
        zeros = replace(content, tensors=lambda: (each * 0 for each in content.tensors()))
        pdparams.write(file, zeros)

    monkeypatch.setitem(BY_SUFFIX, ".pdparams", replace(BY_SUFFIX[".pdparams"], write=damaged))
    with pytest.raises(ConverterError, match="was not written as planned"):
        convert_file(file, tmp_path / "a.pdparams")
    assert left_over(tmp_path) == set()


def test_damage_inside_a_zip_is_noticed_before_anything_is_left(file, tmp_path):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x10
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(InputError, match="its checksum promises; the file is damaged"):
        convert_file(tmp_path / "a.pth")
    assert left_over(tmp_path) == {"a.pth"}


def test_a_type_that_paddle_lacks_is_an_input_error(state, tmp_path):
    key = "conv_last.conv.weight"
    changed = dict(state)
    changed[key] = changed[key].to(torch.float8_e4m3fn)
    torch.save(changed, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"cannot hold .*float8_e4m3fn"):
        convert_file(tmp_path / "a.pth")
    assert left_over(tmp_path) == {"a.pth"}


def test_paddles_safetensors_that_do_not_say_so_are_not_transposed_silently(tmp_path):
    """Without metadata they pass for torch's; the lengths of the biases contradict."""
    network = paddle.nn.Sequential(paddle.nn.Linear(4, 6), paddle.nn.Linear(6, 6))
    arrays = {key: np.asarray(value.numpy()) for key, value in network.state_dict().items()}
    safetensors.numpy.save_file(arrays, tmp_path / "a.safetensors")
    with pytest.raises(RefusedError, match="if the file is Paddle's, say --to torch") as caught:
        convert_file(tmp_path / "a.safetensors")
    assert len(caught.value.problems) == 2
    convert_file(tmp_path / "a.safetensors", tmp_path / "a.pth", to="torch")
    found = torch.load(tmp_path / "a.pth")
    assert bits(found["1.weight"]) == bits(arrays["1.weight"].T)
