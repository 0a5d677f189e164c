"""RESULTS.md is put together from its sections, one at a time, whole or not at all."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import results
from benchmarks import run as runs
from benchmarks.results import Page, duration, stamp, table_row
from benchmarks.sections import SECTIONS, Compared, Section

FIRST, SECOND = Section("first", "The first, `a`"), Section("second", "The second")
ORDER = (FIRST, SECOND)
FASTER = Compared("copying", 2.0, 5.0, "s", "the usual way")
SLOWER = Compared("reading", 4.0, 1.0, "s", "cat", limit=True)
LINES = [FASTER, "| a | b |", "|---|---|", "| 1 | 2 |", SLOWER, "\nSaid behind it."]


def page() -> Page:
    first = Page().put(FIRST, "Stamp 1.", LINES)
    return first.put(SECOND, "Stamp 2.", ["| c |", replace(FASTER, what="other")])


def test_what_is_written_is_read_back() -> None:
    assert Page.parse(page().render(ORDER)) == page()
    assert Page.parse("") == Page()


def test_the_table_stands_on_top_and_has_what_is_worse() -> None:
    text = page().render(ORDER)
    head = text.partition("## ")[0]
    assert "| `first` | copying | 2 s | the usual way: 5 s | **2.50** |" in head
    assert "| `first` | reading | 4 s | cat: 1 s | 0.25, of the limit |" in head
    assert head.index("| copying") < head.index("| reading") < head.index("| other")
    assert "0.25, worse |" in table_row("x", replace(SLOWER, limit=False))


def test_a_section_is_its_stamp_and_its_lines() -> None:
    assert page().sections["The first, `a`"] == (
        "Stamp 1.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nSaid behind it."
    )


def test_one_section_is_replaced_and_the_others_stay() -> None:
    after = page().put(FIRST, "Stamp 3.", ["new", replace(FASTER, ours=1.0)])
    assert after.sections == {FIRST.title: "Stamp 3.\n\nnew", SECOND.title: "Stamp 2.\n\n| c |"}
    assert after.rows["second"] == page().rows["second"]
    assert after.rows["first"] == ("| `first` | copying | 1 s | the usual way: 5 s | **5.00** |",)


def test_sections_stand_in_the_order_of_the_registry() -> None:
    text = page().render((SECOND, FIRST))
    assert text.index("## The second") < text.index("## The first")
    unknown = page().render(())
    assert Page.parse(unknown) == page()


@pytest.mark.parametrize(
    ("line", "ratio"),
    [
        (FASTER, 2.5),
        (replace(FASTER, more=True), 0.4),
        (replace(FASTER, ours=0.0), float("inf")),
    ],
)
def test_a_ratio_above_one_is_better(line: Compared, ratio: float) -> None:
    assert line.ratio == ratio


@pytest.mark.parametrize(
    ("value", "unit", "spelt"),
    [(1310.4, "MiB", "1310 MiB"), (0.1741, "s", "0.174 s"), (197, "of 197", "197 of 197")],
)
def test_numbers(value: float, unit: str, spelt: str) -> None:
    assert results.number(value, unit) == spelt


def test_a_stamp_says_where_when_and_how_long() -> None:
    said = stamp(FIRST, "2026-01-02", 75.2, 0.1)
    assert "--only first` on 2026-01-02 in 1 min 15 s, " in said
    assert "torch 2." in said
    assert "Other work" not in said
    assert "Other work was going on: load 99.0." in stamp(FIRST, "2026-01-02", 1, 99.0)
    assert Page().put(FIRST, said, []).took() == {"first": duration(75)}


def test_every_section_of_the_registry_can_be_found() -> None:
    assert len({section.name for section in SECTIONS}) == len(SECTIONS)
    assert len({section.title for section in SECTIONS}) == len(SECTIONS)
    for section in SECTIONS:
        assert find_spec(section.module or f"benchmarks.{section.name}") is not None


def test_the_file_holds_the_sections_of_the_registry_and_nothing_else() -> None:
    text = runs.RESULTS.read_text(encoding="utf-8")
    written = Page.parse(text)
    assert written.render(SECTIONS) == text, "by hand? python -m benchmarks --only NAME writes it"
    assert set(written.sections) <= {section.title for section in SECTIONS}
    assert set(written.rows) <= {section.name for section in SECTIONS}


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Register a section that works and one that fails; return a file for the results."""
    (tmp_path / "made_up_works.py").write_text(
        "from benchmarks.sections import Compared\n"
        "def rows(folder):\n"
        "    yield f'{len(list(folder.iterdir()))} files before it'\n"
        "    yield Compared('all', 1.0, 2.0, 's', 'theirs')\n"
    )
    (tmp_path / "made_up_fails.py").write_text("def rows(_):\n    yield 'begun'\n    1 / 0\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    sections = (
        Section("fails", "What fails", module="made_up_fails"),
        Section("works", "What works", module="made_up_works"),
    )
    monkeypatch.setattr(command, "SECTIONS", sections)
    return tmp_path / "RESULTS.md"


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(command.main, [str(argument) for argument in arguments])


def test_the_command_measures_the_rest_where_one_fails(made_up: Path) -> None:
    kept = Page().put(Section("fails", "What fails"), "Old.", ["as before"])
    made_up.write_text(kept.render(()))
    result = run("--results", made_up)
    assert result.exit_code == 2
    assert "fails: ZeroDivisionError: division by zero" in result.stderr
    assert "left as before: fails" in result.stderr
    written = Page.parse(made_up.read_text())
    assert written.sections["What fails"] == "Old.\n\nas before"
    assert written.sections["What works"].endswith("\n\n0 files before it")
    assert written.rows["works"] == ("| `works` | all | 1 s | theirs: 2 s | **2.00** |",)
    assert [path.name for path in made_up.parent.glob("*.part")] == []


def test_the_list_says_how_long_a_section_took(made_up: Path) -> None:
    done = stamp(command.SECTIONS[1], "2026-01-02", 61, 0)
    made_up.write_text(Page().put(command.SECTIONS[1], done, []).render(()))
    result = run("--list", "--results", made_up)
    assert [line.split(maxsplit=1)[0] for line in result.output.splitlines()] == ["fails", "works"]
    assert "never" in result.output
    assert "1 min 1 s" in result.output


def test_an_unknown_section_is_refused() -> None:
    result = run("--only", "nonsense")
    assert result.exit_code == 2
    assert "conversion" in result.stderr
