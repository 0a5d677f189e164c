from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from parity.cli import main
from parity.commands.check import check_command

if TYPE_CHECKING:
    from pathlib import Path

TORCH = ["--torch", "parity_toys:torch_model"]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return " ".join(result.stderr.split())


def test_a_correct_pair_of_factories_exits_0(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    result = call(*TORCH, "--paddle", "parity_toys:paddle_model", "--size", "33x40", "--json", file)
    assert result.exit_code == 0, result.output
    assert "parity holds" in result.stdout
    content = json.loads(file.read_text())
    assert content["parity"] is True
    assert content["first_divergence"] is None
    assert {layer["name"] for layer in content["layers"]} >= {"", "block.skip"}
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_check_is_the_default_command() -> None:
    pair = [*TORCH, "--paddle", "parity_toys:paddle_model", "--size", "33x40"]
    assert call("check", *pair).output == call(*pair).output
    assert call("check", "--help").output == call("--help").output


def test_the_help_of_a_check_fits_a_screen_and_names_every_option() -> None:
    options = {"terminal_width": 100}
    short, whole = (
        CliRunner().invoke(main, ["check", option], **options).output
        for option in ("-h", "--help-all")
    )
    assert len(short.splitlines()) <= 40
    assert max(map(len, short.splitlines())) <= 100
    assert "Examples:" in short
    for option in check_command.params:
        if isinstance(option, click.Option):
            assert option.opts[0] in short.replace(",", " ").split()
            assert option.help
            assert f"  {option.opts[0]}" in whole or f", {option.opts[0]}" in whole
    assert len(whole) > len(short)


def test_the_wrong_pooling_exits_1_and_is_named_first() -> None:
    result = call(*TORCH, "--paddle", "parity_toys:paddle_wrong_pool", "--size", "33x40")
    assert result.exit_code == 1
    assert "first divergence: block.skip" in result.stdout
    assert result.stdout.index("DOES NOT HOLD") < result.stdout.index("first divergence")


def test_seeds_change_weights_and_inputs(tmp_path: Path) -> None:
    outputs = []
    for seed in (0, 0, 1):
        file = tmp_path / f"{len(outputs)}.json"
        pair = [*TORCH, "--paddle", "parity_toys:paddle_wrong_pool"]
        assert call(*pair, "--size", "33x40", "--seed", seed, "--json", file).exit_code == 1
        outputs.append(file.read_text())
    assert outputs[0] == outputs[1] != outputs[2]


def test_all_shows_every_layer_and_quiet_none() -> None:
    pair = [*TORCH, "--paddle", "parity_toys:paddle_model", "--size", "33x40"]
    everything = call(*pair, "--all")
    for name in ("block.conv", "block.bn", "block.relu", "block.skip (call 1)", "out"):
        assert name in everything.stdout
    quiet = call(*pair, "--quiet")
    assert (quiet.exit_code, quiet.output) == (0, "")


def test_an_input_file_is_used(tmp_path: Path) -> None:
    file = tmp_path / "image.npy"
    np.save(file, np.ones((1, 3, 33, 35), np.float32))
    result = call(*TORCH, "--paddle", "parity_toys:paddle_model", "--input", file)
    assert result.exit_code == 0
    assert "input 1×3×33×35" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "12"], "expected height x width"),
        (["--size", "0x512"], "at least 1"),
        (["--size", "-1x512"], "expected height x width"),
        (["--tol", "0"], "between 0 and 1"),
        (["--tol", "nan"], "between 0 and 1"),
        (["--arch", "resnet"], "'stdc2-seg'"),
        (["--check", "sideways"], "'forward'"),
        (["--seed", "-1"], "0"),
        (["--no-convert"], "--no-convert needs --paddle"),
        (TORCH, "--torch and --paddle go together"),
        ([*TORCH, "--paddle", "parity_toys"], "expected package.module:factory"),
        ([*TORCH, "--paddle", "no.such:thing"], "no.such cannot be imported"),
        ([*TORCH, "--paddle", "parity_toys:nothing"], "no callable 'nothing'"),
        ([*TORCH, "--paddle", "parity_toys:raises"], "the factory raised no luck"),
        (["--input", "missing.npy"], "no such file, and no other form; expected random; a shape"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(arguments: list[str], message: str) -> None:
    assert message in refused(call(*arguments))


def test_a_factory_that_makes_no_network_is_refused() -> None:
    said = refused(call(*TORCH, "--paddle", "parity_toys:images", "--size", "33x40"))
    assert "paddle.nn.Layer" in said
    swapped = call("--torch", "parity_toys:paddle_model", "--paddle", "parity_toys:torch_model")
    assert "expected a torch network, found a paddle one" in refused(swapped)


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY"])
def test_an_unreadable_input_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.npy"
    file.write_bytes(content)
    assert "broken.npy" in refused(call("--input", file))


def test_an_input_that_the_network_cannot_take_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "image.npy"
    np.save(file, np.ones((1, 5, 40, 40), np.float32))
    pair = [*TORCH, "--paddle", "parity_toys:paddle_model"]
    assert "network stopped in 'block.conv'" in refused(call(*pair, "--input", file))


def test_a_report_that_cannot_be_written_exits_2(tmp_path: Path) -> None:
    pair = [*TORCH, "--paddle", "parity_toys:paddle_model", "--size", "33x40"]
    assert "absent" in refused(call(*pair, "--json", tmp_path / "absent" / "result.json"))


def test_html_is_written_beside_json_and_refused_early(tmp_path: Path) -> None:
    pair = [*TORCH, "--paddle", "parity_toys:paddle_wrong_pool", "--size", "33x40"]
    file = tmp_path / "report.html"
    assert call(*pair, "--quiet", "--html", file).exit_code == 1
    text = file.read_text(encoding="utf-8")
    assert "Parity: parity_toys:torch_model and parity_toys:paddle_wrong_pool" in text
    assert '"first_divergence":"block.skip"' in text
    assert "folder that exists" in refused(call(*pair, "--html", tmp_path / "absent" / "a.html"))


def test_help_and_import_load_no_framework() -> None:
    code = (
        "import sys, parity, parity.cli\n"
        "try:\n    parity.cli.main(['--help'])\n"
        "except SystemExit as stop:\n    assert stop.code == 0\n"
        "print('LOADED', [n for n in ('torch', 'paddle') if n in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "LOADED []" in done.stdout
    for word in ("--json", "-h, --help", "--version", "--quiet"):
        assert word in done.stdout


def test_without_conversion_the_factories_weights_count() -> None:
    # Both factories draw their own weights: they cannot agree.
    pair = [*TORCH, "--paddle", "parity_toys:paddle_model", "--size", "33x40", "--no-convert"]
    result = call(*pair)
    assert result.exit_code == 1
    assert "weights that differ" in result.stdout
