"""The command: exit codes, one line instead of a traceback, reports, and what is left behind."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import paddle
import pytest
import torch
from click.testing import CliRunner, Result
from samples import trained

from converters import convert_file
from converters.cli import main
from converters.commands.convert import FORMATS
from converters.formats.writers import BY_SUFFIX, WRITERS
from stdc_port import paddle_nets


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Return a classifier's file as the authors publish them, in half precision to be small."""
    path = tmp_path_factory.mktemp("source") / "STDCNet813M_73.91.tar"
    state = trained("stdc1", num_classes=4).half().state_dict()
    content = {"state_dict": state, "epoch": 5, "best_top1": 73.91}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture(scope="module")
def lacking(tmp_path_factory) -> Path:
    """Return a file with a tensor too few and one too many."""
    path = tmp_path_factory.mktemp("lacking") / "a.pth"
    state = trained("stdc1", num_classes=4).half().state_dict()
    state["extra"] = state.pop("fc.weight")
    torch.save(state, path)
    return path


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def flat(text: str) -> str:
    return " ".join(text.split())


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_conversion(source, tmp_path):
    target = tmp_path / "out.pdparams"
    # Paddle loads no half precision into a network in single precision.
    result = convert(source, "-o", target, "--dtype", "float32")
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


def test_the_default_name(source, tmp_path):
    link = tmp_path / source.name
    link.symlink_to(source)
    assert convert(link, "--quiet").exit_code == 0
    assert left(tmp_path) == ["STDCNet813M_73.91.pdparams", "STDCNet813M_73.91.tar"]


def test_quiet_says_nothing(source, tmp_path):
    result = convert(source, "-o", tmp_path / "a.pdparams", "-q")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_the_json_report(source, tmp_path, option):
    target, report = tmp_path / "a.pdparams", tmp_path / "report.json"
    assert convert(source, "-o", target, "-q", option, report).exit_code == 0
    found = json.loads(report.read_text())
    for name, path, form in (
        ("source", source, "torch-legacy"), ("target", target, "pdparams")
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


def test_a_dry_run(source, lacking, tmp_path):
    report = tmp_path / "report.json"
    result = convert(source, "-o", tmp_path / "a.pdparams", "--dry-run", "--json", report)
    assert result.exit_code == 0
    assert "dry run, nothing written" in flat(result.stdout)
    assert left(tmp_path) == ["report.json"]
    assert json.loads(report.read_text())["target"]["sha256"] == ""
    result = convert(lacking, "-o", tmp_path / "a.pdparams", "--dry-run")
    assert result.exit_code == 1
    assert "fc.weight" in result.stdout


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


def test_no_strict_writes_what_fits(lacking, tmp_path):
    result = convert(lacking, "-o", tmp_path / "a.pdparams", "--no-strict")
    assert result.exit_code == 0
    assert "problem missing: 'fc.weight'" in flat(result.stdout)
    assert "fc.weight" not in paddle.load(str(tmp_path / "a.pdparams"))


def test_there_and_back(source, tmp_path):
    there, back = tmp_path / "a.pdparams", tmp_path / "b.pth"
    assert convert(source, "-o", there, "-q").exit_code == 0
    result = convert(there, "--to", "torch", "-o", back)
    assert result.exit_code == 0, result.output
    assert len(torch.load(back, weights_only=True)) == 361


def test_another_element_type(source, tmp_path):
    result = convert(source, "-o", tmp_path / "a.pdparams", "--dtype", "bfloat16", "-q")
    assert result.exit_code == 0
    found = paddle.load(str(tmp_path / "a.pdparams"))
    assert {value.dtype for value in found.values()} == {paddle.bfloat16}


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
def test_bad_arguments(source, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.pdparams").write_text("mine")
    (tmp_path / "folder.pdparams").mkdir()
    if "-o" not in arguments:
        arguments = [*arguments, "-o", "a.pdparams"]
    before = left(tmp_path)
    result = convert(source, *arguments)
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


def test_a_report_that_cannot_be_written_stops_the_work_before_it_starts(source, tmp_path):
    result = convert(source, "-o", tmp_path / "a.pdparams", "--json", tmp_path / "no" / "r.json")
    assert result.exit_code == 2
    assert left(tmp_path) == []


def test_a_target_that_was_not_written_as_planned(source, tmp_path, monkeypatch):
    empty = replace(BY_SUFFIX[".pdparams"], write=lambda file, _: file.write(b"\x80\x04}."))
    monkeypatch.setitem(BY_SUFFIX, ".pdparams", empty)
    result = convert(source, "-o", tmp_path / "a.pdparams")
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert len(result.stderr.splitlines()) == 1
    assert left(tmp_path) == []


@pytest.mark.parametrize("option", ["-h", "--help", "--version"])
def test_help_and_version(option):
    result = convert(option)
    assert result.exit_code == 0
    assert "stdc-convert STDCNet813M" in result.output or re.search(r"\d+\.\d+", result.output)


def test_the_formats_of_the_help_are_those_that_can_be_written():
    assert sorted(FORMATS) == sorted(WRITERS)


def test_a_format_for_old_torch_in_shards(source, tmp_path):
    there, report = tmp_path / "a.pdparams", tmp_path / "r.json"
    assert convert(source, "-o", there, "-q").exit_code == 0
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "torch-legacy", "-o", "a.pth"], "--format torch-legacy does not fit --to"),
        (["--format", "safetensors", "-o", "a.pdparams"], "stands for pdparams, not for safet"),
        (["--max-shard-size", "many", "-o", "a.pdparams"], "'many' is no size of a shard"),
    ],
)
def test_bad_formats_and_sizes(source, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = convert(source, *arguments)
    assert (result.exit_code, left(tmp_path)) == (2, [])
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


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


def test_the_installed_command(source, lacking, tmp_path):
    target = tmp_path / "a.pdparams"
    good = command(source, "-o", target)
    assert (good.returncode, good.stderr) == (0, "")
    assert "wrote" in good.stdout
    short = command(lacking, "-o", tmp_path / "b.pdparams")
    assert (short.returncode, short.stdout) == (1, "")
    (tmp_path / "page.pth").write_text("<html>")
    bad = command(tmp_path / "page.pth")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "Traceback" not in short.stderr + bad.stderr
    assert left(tmp_path) == ["a.pdparams", "page.pth"]


def test_a_value_too_large_for_the_type_is_refused(tmp_path: Path) -> None:
    state = trained("stdc1", num_classes=4).state_dict()
    state["linear.weight"][1, 2] = 1e6
    torch.save(state, tmp_path / "large.pth")
    result = convert(tmp_path / "large.pth", "--dtype", "float16")
    assert result.exit_code == 1
    assert "linear.weight': 1 of its values are beyond the range of float16" in result.output
    assert left(tmp_path) == ["large.pth"]
    assert convert(tmp_path / "large.pth", "--dtype", "bfloat16").exit_code == 0


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_nan_is_rounded_without_a_word(tmp_path: Path, dtype: str) -> None:
    state = trained("stdc1", num_classes=4).state_dict()
    state["linear.weight"][1, 2] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    result = convert(tmp_path / "nan.pth", "--dtype", dtype, "-q")
    assert (result.exit_code, result.output) == (0, "")
    found = paddle.load(str(tmp_path / "nan.pdparams"))["linear.weight"]
    assert paddle.isnan(found.cast("float32")).sum().item() == 1


def test_types_that_the_target_does_not_load_are_hinted_at(source, tmp_path):
    """Paddle loads half precision into no network in single precision, the usual one."""
    report = tmp_path / "report.json"
    kept = convert(source, "-o", tmp_path / "a.pdparams", "--json", report)
    line = "hint the target holds float16, which Paddle does not load into a network in float32; "
    assert line + "--dtype float32 writes float32 and loses nothing" in flat(kept.stdout)
    assert len(json.loads(report.read_text())["hints"]) == 1
    network = paddle_nets.build("stdc1", num_classes=4)
    with pytest.raises(AssertionError, match="dtype not match"):
        network.set_state_dict(paddle.load(str(tmp_path / "a.pdparams")))
    single = convert(source, "-o", tmp_path / "b.pdparams", "--dtype", "float32")
    assert "hint" not in single.stdout
    assert network.set_state_dict(paddle.load(str(tmp_path / "b.pdparams"))) == ([], [])
    back = convert(tmp_path / "a.pdparams", "-o", tmp_path / "c.pth")
    assert "hint" not in back.stdout


@pytest.mark.parametrize(
    ("source", "network", "mend"),
    [
        ("float16", "float32", "--dtype float32 writes float32 and loses nothing"),
        ("float64", "float32", "--dtype float32 writes float32 and rounds"),
        ("float32", "float16", "--dtype float16 writes float16 and rounds"),
        ("float32", "float64", "cast it when it is loaded"),
        ("float16", "float16", ""),
    ],
)
def test_the_target_networks_own_type_decides(tmp_path, source, network, mend):
    torch.save(torch.nn.Linear(2, 3).to(getattr(torch, source)).state_dict(), tmp_path / "a.pth")
    target = paddle.nn.Linear(2, 3)
    target.to(dtype=network)
    report = convert_file(tmp_path / "a.pth", target=target)
    assert len(report.hints) == bool(mend)
    assert all(f"this network in {network}; {mend}" in line for line in report.hints)
