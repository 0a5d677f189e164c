"""Every code block of the documents is run, or says why only its command lines are read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pages
import pytest
from command_lines import command_lines, misread

from converters import read_rules

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
READMES = sorted(ROOT.glob("README*.md"))
ENGLISH = ROOT / "README.md"  # The Chinese one has the same blocks: `test_both_say_the_same`.
RUN = [
    path
    for path in (*DOCS, ENGLISH)
    if {"python", "console", "bash"}
    & {one.language for one in pages.blocks(path.read_text("utf-8"))}
]
# What no test runs, for want of what.
NOT_RUN = ("Cityscapes and GPUs", "minutes", "a published file")
MOST_NOT_RUN = 8


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a page runs; the modules that it writes are forgotten behind it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_code_does_what_its_page_says(path: Path, folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for block in pages.blocks(path.read_text("utf-8")):
        if block.language in ("python", "console", "bash", "diff"):
            assert pages.run(block, folder, names) == []


@pytest.mark.parametrize("path", [*DOCS, ENGLISH], ids=lambda path: path.stem)
def test_every_block_is_of_a_kind_that_is_tested(path: Path, tmp_path: Path) -> None:
    for block in pages.blocks(path.read_text("utf-8")):
        if block.not_run:
            assert block.not_run.removeprefix("needs ") in NOT_RUN
            continue
        if path == ENGLISH and block.language == "text":
            continue  # what a command prints that takes minutes
        assert block.language in ("python", "console", "bash", "diff", "toml", "json"), block
        if block.language == "json":
            json.loads(block.text)
        if block.language == "toml":
            tomllib.loads(block.text)
            (tmp_path / "rules.toml").write_text(block.text)
            read_rules(tmp_path / "rules.toml")


def test_few_blocks_are_not_run_and_all_of_them_are_commands() -> None:
    left = [
        one
        for path in (*DOCS, ENGLISH)
        for one in pages.blocks(path.read_text("utf-8"))
        if one.not_run
    ]
    assert len(left) <= MOST_NOT_RUN
    for block in left:
        assert block.language == "console"
        shown = [line for line in block.text.splitlines() if line.startswith("$ ")]
        assert [f"$ {line}" for line in command_lines(block.text)] == shown


def test_a_page_that_shows_what_is_not_printed_is_seen() -> None:
    assert pages.missing("one 1.0e-05\n[…]\nthree", "one 2.3e-06\ntwo\n three") == []
    assert pages.missing("one\n[…]\nfour", "one\ntwo") == ["four"]
    broken = pages.Block("console", "$ stdc-convert --nonsense\n", "")
    assert "exit code 2" in pages.run(broken, None, {})[0]


@pytest.mark.parametrize("path", [*READMES, *DOCS], ids=lambda path: path.stem)
def test_every_command_line_is_one(path: Path, tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    for line in command_lines(path.read_text("utf-8")):
        assert misread(line) == []


def every_example() -> list[tuple[str, str]]:
    commands = [one for one in pages.COMMANDS.values() if isinstance(one, click.Group)]
    each = [command for group in commands for command in (group, *group.commands.values())]
    texts = {f"{one.name}": one.epilog or "" for one in each}
    return [(name, line) for name, text in texts.items() for line in command_lines(text)]


@pytest.mark.parametrize(("name", "line"), every_example())
def test_every_example_of_the_help_is_read_by_its_command(name: str, line: str) -> None:
    assert misread(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "stdc-convert a.pth --too paddle",
        "stdc-convert a.pth --to tensorflow",
        "stdc-parity --check forwards",
        "stdc-seg finetune --data d --scratch -o run --recipe stdc9",
        "stdc-seg finetune --data d --scratch -o run --set train.nothing=1",
        "stdc-seg train --data d",
        "make demonstrate",
        "make demo MODLE=stdc1",
        "make demo ARGS=--nothing",
    ],
)
def test_a_misspelt_command_line_is_seen(line: str) -> None:
    assert len(misread(line)) == 1
