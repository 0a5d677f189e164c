"""The command converts: what it says, writes and reports, as installed, too."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import paddle
import pytest
import torch
from click.testing import CliRunner
from convert_command import convert, flat, left

from converters.cli import main
from converters.commands.convert import FORMATS
from converters.formats.writers import WRITERS
from stdc_port import paddle_nets


def test_a_conversion(classifier, tmp_path):
    target = tmp_path / "out.pdparams"
    # Paddle loads no half precision into a network in single precision.
    result = convert(classifier, "-o", target, "--dtype", "float32")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    told = flat(result.stdout)
    assert "network stdc1 authors, 4 classes" in told
    assert "skipped epoch: int 5" in told
    assert re.search(r"alias \d+ second name of a tensor, not written twice", told)
    assert "transpose 2 weight of a Linear, its two axes exchanged" in told
    assert "read back and compared bit for bit" in told
    network = paddle_nets.build("stdc1", num_classes=4)
    assert network.set_state_dict(paddle.load(str(target))) == ([], [])
    assert left(tmp_path) == ["out.pdparams"]


def test_the_default_name(classifier, tmp_path):
    link = tmp_path / classifier.name
    link.symlink_to(classifier)
    assert convert(link, "--quiet").exit_code == 0
    assert left(tmp_path) == ["STDCNet813M_73.91.pdparams", "STDCNet813M_73.91.tar"]


def test_quiet_says_nothing(classifier, tmp_path):
    result = convert(classifier, "-o", tmp_path / "a.pdparams", "-q")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_the_json_report(classifier, tmp_path, option):
    target, report = tmp_path / "a.pdparams", tmp_path / "report.json"
    assert convert(classifier, "-o", target, "-q", option, report).exit_code == 0
    found = json.loads(report.read_text())
    for name, path, form in (
        ("source", classifier, "torch-legacy"), ("target", target, "pdparams")
    ):  # fmt: skip
        content = path.read_bytes()
        assert found[name] == {
            "path": str(path),
            "sha256": hashlib.sha256(content).hexdigest(),
            "format": form,
            "bytes": len(content),
        }
    assert (found["arch"], found["variant"]) == ("stdc1", "authors")
    fields = {"source", "target", "action", "shape", "dtype", "reason"}
    assert all(set(entry) == fields for entry in found["entries"])
    sources = [entry["source"] for entry in found["entries"] if entry["source"]]
    assert len(sources) == len(set(sources)) == 361
    targets = [entry["target"] for entry in found["entries"] if entry["target"]]
    assert len(targets) == len(set(targets)) == len(paddle.load(str(target)))
    assert sum(found["counts"].values()) == len(found["entries"])
    fc = next(entry for entry in found["entries"] if entry["source"] == "fc.weight")
    assert fc["action"] == "transpose"
    assert (fc["target"], fc["shape"], fc["dtype"]) == ("fc.weight", [1024, 1024], "float16")


def test_a_dry_run(classifier, lacking, tmp_path):
    report = tmp_path / "report.json"
    result = convert(classifier, "-o", tmp_path / "a.pdparams", "--dry-run", "--json", report)
    assert result.exit_code == 0
    assert "dry run, nothing written" in flat(result.stdout)
    assert left(tmp_path) == ["report.json"]
    assert json.loads(report.read_text())["target"]["sha256"] == ""
    result = convert(lacking, "-o", tmp_path / "a.pdparams", "--dry-run")
    assert result.exit_code == 1
    assert "fc.weight" in result.stdout


def test_no_strict_writes_what_fits(lacking, tmp_path):
    result = convert(lacking, "-o", tmp_path / "a.pdparams", "--no-strict")
    assert result.exit_code == 0
    assert "problem missing: 'fc.weight'" in flat(result.stdout)
    assert "fc.weight" not in paddle.load(str(tmp_path / "a.pdparams"))


def test_there_and_back(classifier, tmp_path):
    there, back = tmp_path / "a.pdparams", tmp_path / "b.pth"
    assert convert(classifier, "-o", there, "-q").exit_code == 0
    result = convert(there, "--to", "torch", "-o", back)
    assert result.exit_code == 0, result.output
    assert len(torch.load(back, weights_only=True)) == 361


@pytest.mark.parametrize("option", ["-h", "--help", "--version"])
def test_help_and_version(option):
    result = convert(option)
    assert result.exit_code == 0
    assert "stdc-convert STDCNet813M" in result.output or re.search(r"\d+\.\d+", result.output)


def test_the_formats_of_the_help_are_those_that_can_be_written():
    assert sorted(FORMATS) == sorted(WRITERS)


def test_a_format_for_old_torch_in_shards(classifier, tmp_path):
    there, report = tmp_path / "a.pdparams", tmp_path / "r.json"
    assert convert(classifier, "-o", there, "-q").exit_code == 0
    arguments = ("--format", "torch-legacy", "--max-shard-size", "12MB", "--json", report)
    dry = convert(there, "-o", tmp_path / "old.bin", *arguments, "--dry-run")
    assert (dry.exit_code, left(tmp_path)) == (0, ["a.pdparams", "r.json"])
    result = convert(there, "-o", tmp_path / "old.bin", *arguments)
    assert result.exit_code == 0, result.output
    names = [f"old-0000{n}-of-00002.bin" for n in (1, 2)]
    files = [*names, "old.bin.index.json"]
    assert left(tmp_path) == sorted(["a.pdparams", "r.json", *files])
    assert all(name in result.stdout for name in files)
    found = json.loads(report.read_text())
    assert [Path(one["path"]).name for one in found["files"]] == files
    assert [one["format"] for one in found["files"]] == ["torch-legacy"] * 2 + ["index"]
    for name in names:
        assert not zipfile.is_zipfile(tmp_path / name)
        torch.load(tmp_path / name, weights_only=True)
    again = convert(there, "-o", tmp_path / "old.bin", *arguments[:-2], "--dry-run")
    assert again.exit_code == 2
    assert "old.bin.index.json: exists already" in again.stderr


@pytest.mark.parametrize("command", [[], ["diff"], ["inspect"]])
def test_help_fits_a_screen(command):
    text = CliRunner().invoke(main, [*command, "-h"], terminal_width=80).output
    assert len(text.splitlines()) <= 50
    assert "stdc-convert" in text


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    path = Path(sys.executable).with_name("stdc-convert")
    return subprocess.run(  # noqa: S603
        [path, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_the_hash_of_a_source_in_shards_is_that_of_all_its_files(tmp_path):
    torch.save({"a.weight": torch.ones(2, 3, 1, 1)}, tmp_path / "1.bin")
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"a.weight": "1.bin"}}))
    result = convert(index, "-o", tmp_path / "a.pdparams", "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "r.json").read_text())["source"]
    content = index.read_bytes() + (tmp_path / "1.bin").read_bytes()
    assert found["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--version"], 0), (["none.pth"], 2), (["--what"], 2)]
)
def test_a_process_ends_with_the_commands_code_and_all_that_it_printed(arguments, code):
    command = [sys.executable, "-c", "from converters.cli import script; script()", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert ended.returncode == code
    expected = CliRunner().invoke(main, arguments, prog_name="-c")
    assert (ended.stdout, ended.stderr) == (expected.stdout, expected.stderr)


def test_the_installed_command(classifier, lacking, tmp_path):
    target = tmp_path / "a.pdparams"
    good = command(classifier, "-o", target)
    assert (good.returncode, good.stderr) == (0, "")
    assert "wrote" in good.stdout
    short = command(lacking, "-o", tmp_path / "b.pdparams")
    assert (short.returncode, short.stdout) == (1, "")
    (tmp_path / "page.pth").write_text("<html>")
    bad = command(tmp_path / "page.pth")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "Traceback" not in short.stderr + bad.stderr
    assert left(tmp_path) == ["a.pdparams", "page.pth"]
