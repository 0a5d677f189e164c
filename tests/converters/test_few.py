"""Very many problems are told in few lines, and are all in the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from converters import RefusedError, convert_file
from converters.cli import main
from converters.few import EACH, KINDS, MOST, in_few

COUNT = 400


def test_few_are_told_one_by_one() -> None:
    lines = [f"key '{n}'" for n in range(MOST)]
    assert in_few(lines) == lines
    assert in_few([]) == []


def test_of_many_some_of_each_kind_and_how_many_more() -> None:
    lines = [f"missing: 'a{n}.weight' [{n}, 3]" for n in range(MOST)]
    lines[5] = "unaccounted for: 'x'"
    lines += [f"{word}: '{n}'" for word in "abcdefghijk" for n in (1, 2)]
    told = in_few(lines)
    assert told[:EACH] == lines[:EACH]
    assert told[EACH] == f"… and {MOST - 1 - EACH} more like that"
    assert told[EACH + 1] == "unaccounted for: 'x'"
    assert told[-1] == "… and 10 more of 5 other kinds"
    assert len(told) == EACH + 2 + 2 * (KINDS - 2) + 1


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of which nothing tells what its tensors are."""
    path = tmp_path_factory.mktemp("foreign") / "foreign.pth"
    state = {f"layer{n}.weight": torch.full((4, 4), float(n)) for n in range(COUNT)}
    torch.save(state, path)
    return path


def test_a_foreign_file_is_refused_in_few_lines_and_whole_in_json(
    foreign: Path, tmp_path: Path
) -> None:
    report, target = tmp_path / "r.json", tmp_path / "x.pdparams"
    words = [str(foreign), "-o", str(target), "--json", str(report)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) < 10
    assert f"{COUNT} problem(s)" in result.stderr
    assert "--json FILE lists them all" in result.stderr
    assert f"… and {COUNT - EACH} more like that" in result.stderr
    assert len(json.loads(report.read_text())["problems"]) == COUNT
    dry = CliRunner().invoke(main, [*words[:3], "--dry-run"])
    assert dry.exit_code == 1
    assert len(dry.stdout.splitlines()) < 15
    with pytest.raises(RefusedError) as refused:
        convert_file(foreign, target)
    assert len(refused.value.problems) == COUNT


def test_a_rule_for_many_names_stays_short_enough_to_be_pasted(foreign: Path) -> None:
    with pytest.raises(RefusedError, match=r"pattern = 'layer\\d\+'") as refused:
        convert_file(foreign)
    assert len(str(refused.value)) < 2000


def test_files_that_differ_everywhere_are_shown_in_part_unless_asked(
    foreign: Path, tmp_path: Path
) -> None:
    other, report = tmp_path / "other.pth", tmp_path / "r.json"
    torch.save({f"layer{n}.weight": torch.full((4, 4), -1.0) for n in range(COUNT)}, other)
    words = ["diff", str(foreign), str(other), "--json", str(report)]
    some, whole = (CliRunner().invoke(main, [*words, *more]) for more in ([], ["--all"]))
    assert (some.exit_code, whole.exit_code) == (1, 1)
    assert len(some.stdout.splitlines()) == 103
    assert "… and 300 more: --all" in some.stdout
    assert len(whole.stdout.splitlines()) == COUNT + 2
    assert f"different: {COUNT} values" in some.stdout
    assert len(json.loads(report.read_text())["tensors"]) == COUNT
