"""Every code block of the documents is run, or says why it cannot be."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click
import pages
import pytest

from converters import read_rules

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
READMES = sorted(ROOT.glob("README*.md"))
RUN = [
    path
    for path in DOCS
    if {"python", "console"} & {one.language for one in pages.blocks(path.read_text("utf-8"))}
]
# What no test can run, by page: for want of what.
NOT_RUN = {
    "stdc-to-cityscapes.md": "Cityscapes and GPUs",
    "command-line.md": "an interactive shell",
}


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_code_does_what_its_page_says(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for block in pages.blocks(path.read_text("utf-8")):
        if block.language in ("python", "console", "diff"):
            assert pages.run(block, tmp_path, names) == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.stem)
def test_every_block_is_of_a_kind_that_is_tested(path: Path, tmp_path: Path) -> None:
    for block in pages.blocks(path.read_text("utf-8")):
        if block.not_run:
            assert NOT_RUN[path.name] in block.not_run
            continue
        assert block.language in ("python", "console", "diff", "toml", "json"), block
        if block.language == "json":
            json.loads(block.text)
        if block.language == "toml":
            tomllib.loads(block.text)
            (tmp_path / "rules.toml").write_text(block.text)
            read_rules(tmp_path / "rules.toml")


def test_a_page_that_shows_what_is_not_printed_is_seen() -> None:
    assert pages.missing("one 1.0e-05\n[…]\nthree", "one 2.3e-06\ntwo\n three") == []
    assert pages.missing("one\n[…]\nfour", "one\ntwo") == ["four"]
    broken = pages.Block("console", "$ stdc-convert --nonsense\n", "")
    assert "exit code 2" in pages.run(broken, None, {})[0]


def command_lines(text: str) -> list[str]:
    """The shell commands that a document shows, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", text)
    return re.findall(r"^(?:    |\$ )?((?:stdc-\w+|make) .*)$", joined, re.MULTILINE)


@pytest.mark.parametrize("path", [*READMES, *DOCS], ids=lambda path: path.stem)
def test_commands_and_their_options_exist(path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for line in command_lines(path.read_text("utf-8")):
        program, *words = line.partition("#")[0].split()
        if program == "make":
            assert words[0] in targets, line
        else:
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert options <= known_options(program, words), line


def known_options(program: str, words: list[str]) -> set[str]:
    command = pages.COMMANDS[program]
    default = {"stdc-convert": "convert", "stdc-parity": "check"}.get(program, "")
    if isinstance(command, click.Group):
        name = words[0] if words[0] in command.commands else default
        command = command.commands[name]
    return {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {
        "--help",
        "--version",
    }
