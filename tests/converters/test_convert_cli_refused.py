"""The command refuses: exit codes 1 and 2, one line or all problems, and nothing left behind."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from convert_command import convert, left

from converters.formats.writers import BY_SUFFIX


def test_what_falls_short_ends_with_one_and_lists_all(lacking, tmp_path):
    result = convert(lacking, "-o", tmp_path / "a.pdparams")
    assert result.exit_code == 1
    assert result.stdout == ""
    first, *problems = result.stderr.splitlines()
    assert first == f"error: {lacking}: not converted, 2 problem(s):"
    assert len(problems) == 2
    assert "missing: 'fc.weight'" in problems[0]
    assert "unaccounted for: 'extra'" in problems[1]
    assert left(tmp_path) == []


def content_of(name: str, folder: Path) -> Path:
    """Write one of the things that people give instead of a checkpoint."""
    path = folder / "bad.pth"
    weights = {"w": torch.ones(200)}
    if name == "folder":
        path.mkdir()
    elif name == "torchscript":
        torch.jit.script(torch.nn.Linear(2, 2)).save(path)
    elif name == "whole model":
        torch.save(torch.nn.Linear(2, 2), path)
    elif name == "plain zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "x")
    elif name.startswith("cut off"):
        torch.save(weights, path, _use_new_zipfile_serialization=name.endswith("zip"))
        path.write_bytes(path.read_bytes()[:-300])
    elif name != "nothing":
        path.write_bytes(
            {"empty": b"", "html": b"<!DOCTYPE html>", "lfs": b"version https://git-lfs.x"}[name]
        )
    return path


BAD = {
    "nothing": "cannot be read (No such file or directory)",
    "folder": "cannot be read (Is a directory)",
    "empty": "the file is empty",
    "html": "an HTML page",
    "lfs": "git lfs pull",
    "torchscript": "a TorchScript program (torch.jit.save), not a file of weights",
    "whole model": "'torch.nn.modules.linear.Linear'",
    "plain zip": "without one data.pkl",
    "cut off zip": "cut off",
    "cut off legacy": "cut off",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_code_two(tmp_path, name):
    path = content_of(name, tmp_path)
    before = left(tmp_path)
    result = convert(path, "-o", tmp_path / "a.pdparams", "--json", tmp_path / "report.json")
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(f"error: {path}: ")
    assert BAD[name] in result.stderr
    assert left(tmp_path) == before


def test_an_unknown_network_is_refused_with_the_way_to_name_it(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"w": torch.ones(200)}, path)
    result = convert(path, "-o", tmp_path / "a.pdparams")
    assert result.exit_code == 1
    assert "--model" in result.stderr
    assert "--rules" in result.stderr
    assert not (tmp_path / "a.pdparams").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "no/a.pdparams"], "there is no folder no; make it first"),
        (["-o", "a.npz"], "unknown suffix '.npz'"),
        (["-o", "a.pth"], "does not fit --to paddle; use .pdparams"),
        (["-o", "there.pdparams"], "exists already; --force replaces it"),
        (["-o", "folder.pdparams"], "is a folder"),
        (["--arch", "stdc2"], "those of stdc1, not of stdc2"),
        (["--key", "ema"], "no dict of tensors at 'ema'; there are 'state_dict'"),
    ],
)
def test_bad_arguments(classifier, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.pdparams").write_text("mine")
    (tmp_path / "folder.pdparams").mkdir()
    if "-o" not in arguments:
        arguments = [*arguments, "-o", "a.pdparams"]
    before = left(tmp_path)
    result = convert(classifier, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert left(tmp_path) == before
    assert (tmp_path / "there.pdparams").read_text() == "mine"


@pytest.mark.parametrize("arguments", [[], ["--unknown"], ["a", "--to", "jax"], ["a", "b"]])
def test_what_click_refuses(arguments):
    result = convert(*arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "torch-legacy", "-o", "a.pth"], "--format torch-legacy does not fit --to"),
        (["--format", "safetensors", "-o", "a.pdparams"], "stands for pdparams, not for safet"),
        (["--max-shard-size", "many", "-o", "a.pdparams"], "'many' is no size of a shard"),
    ],
)
def test_bad_formats_and_sizes(classifier, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = convert(classifier, *arguments)
    assert (result.exit_code, left(tmp_path)) == (2, [])
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_report_that_cannot_be_written_stops_the_work_before_it_starts(classifier, tmp_path):
    result = convert(
        classifier, "-o", tmp_path / "a.pdparams", "--json", tmp_path / "no" / "r.json"
    )
    assert result.exit_code == 2
    assert left(tmp_path) == []


def test_a_target_that_was_not_written_as_planned(classifier, tmp_path, monkeypatch):
    empty = replace(BY_SUFFIX[".pdparams"], write=lambda file, _: file.write(b"\x80\x04}."))
    monkeypatch.setitem(BY_SUFFIX, ".pdparams", empty)
    result = convert(classifier, "-o", tmp_path / "a.pdparams")
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert len(result.stderr.splitlines()) == 1
    assert left(tmp_path) == []
