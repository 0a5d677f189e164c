"""Reports replace reports alone, and a refusal leaves its own."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from converters.cli import main


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "model.pth"
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(layers.state_dict(), path)
    return path


def convert(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.mark.parametrize("kind", ["source", "rules", "index", "link"])
def test_a_report_replaces_nothing_but_a_report(checkpoint, tmp_path, kind):
    taken = {
        "source": checkpoint,
        "rules": tmp_path / "rules.toml",
        "index": tmp_path / "model.safetensors.index.json",
        "link": tmp_path / "nowhere.json",
    }[kind]
    if kind == "rules":
        taken.write_text('[[drop]]\npattern = "x"\n')
    if kind == "index":
        taken.write_text(json.dumps({"weight_map": {}}))
    if kind == "link":
        taken.symlink_to(tmp_path / "gone")
    before = taken.read_bytes() if taken.exists() else None
    result = convert(checkpoint, "-o", tmp_path / "out.pdparams", "--json", taken)
    assert result.exit_code == 2
    assert (taken.read_bytes() if taken.exists() else None) == before


def test_the_output_is_not_replaced_by_its_report(checkpoint, tmp_path):
    out = tmp_path / "out.pdparams"
    assert convert(checkpoint, "-o", out, "--json", out).exit_code == 2
    assert not out.read_bytes().startswith(b"{")


def test_a_refusal_replaces_an_older_report(checkpoint, tmp_path):
    report = tmp_path / "report.json"
    assert convert(checkpoint, "-o", tmp_path / "a.pdparams", "--json", report).exit_code == 0
    assert json.loads(report.read_text())["verified"] is True
    lone = tmp_path / "lone.pth"
    torch.save({"weight": torch.from_numpy(np.eye(6, dtype="float32"))}, lone)
    result = convert(lone, "-o", tmp_path / "b.pdparams", "--json", report)
    assert result.exit_code == 1
    written = json.loads(report.read_text())
    assert written["verified"] is False
    assert written["problems"]


@pytest.mark.parametrize("name", ["out.onnx", "there.pdparams", "nowhere/out.pdparams"])
def test_a_dry_run_refuses_a_target_that_the_run_would_refuse(checkpoint, tmp_path, name):
    (tmp_path / "there.pdparams").write_bytes(b"older")
    out = tmp_path / name
    assert convert(checkpoint, "-o", out, "--dry-run").exit_code == 2
    assert convert(checkpoint, "-o", out).exit_code == 2
