"""Names of files that would speak to the terminal, or break the lines of what is shown."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner

import parity.cli
import stdc_port.cli
from converters.cli import main
from converters.errors import RefusedError

EVIL = "\x1b]0;title\x07\u202e\ngpj[/][red]\udcff"
SPELT = r"\x1b]0;title\x07\u202e\ngpj[/][red]\udcff"
# By their words, commands that are given one file or two; whether it is there or not.
COMMANDS: dict[str, tuple[click.Command, list[str], int]] = {
    "inspect": (main, ["inspect"], 1),
    "diff": (main, ["diff"], 2),
    "convert": (main, ["convert", "--to", "paddle"], 1),
    "rules": (main, ["convert", "a.pth", "--rules"], 1),
    "output": (main, ["convert", "a.pth", "--arch", "generic", "--to", "paddle", "-o"], 1),
    "report": (main, ["inspect", "a.pth", "--json"], 1),
    "parity": (parity.cli.main, ["check"], 1),
    "parity diff": (parity.cli.main, ["diff"], 2),
    "evaluate": (stdc_port.cli.main, ["evaluate", "--weights", "a.pth", "--data"], 1),
    "recipe": (stdc_port.cli.main, ["finetune", "--show-recipe", "--recipe"], 1),
}


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("command", COMMANDS)
def test_names_of_files_do_not_speak_to_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, there: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a.weight": torch.ones(2, 2, 3, 3)}, "a.pth")
    name = EVIL.replace("/", "")
    if there:
        Path(name).write_bytes(b"junk")
    main_command, words, files = COMMANDS[command]
    path = name if there else f"missing/{name}"
    found = CliRunner().invoke(main_command, [*words, *[path] * files])
    assert found.exit_code == 2
    assert SPELT.replace("/", "") in found.output
    assert not set("\x1b\x07\u202e") & set(found.output)
    told = [line for line in found.output.splitlines() if "gpj" in line]
    assert told == [line for line in told if SPELT.replace("/", "") in line]


def test_names_of_files_do_not_break_lines_of_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a.weight": torch.ones(2, 2, 3, 3)}, "a\nb.pth")
    whole = [["inspect", "a\nb.pth"], ["a\nb.pth", "--arch", "generic", "-o", "c\nd.pdparams"]]
    for words in (*whole, ["diff", "a\nb.pth", "c\nd.pdparams"]):
        shown = CliRunner().invoke(main, words).output
        assert not [line for line in shown.splitlines() if line.startswith(("b.pth", "d.pdparams"))]
        assert r"a\nb.pth" in shown or words[0] == "diff"


def test_messages_are_printable() -> None:
    error = RefusedError(f"a{EVIL}:", ["b\nc"], "d")
    assert str(error) == "\n".join([f"a{SPELT}:", r"  b\nc", "d"])
