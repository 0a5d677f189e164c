"""`stdc-parity traps`."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.traps import catalogue
from parity.traps.trap import Measured


def run(*arguments):
    return CliRunner().invoke(main, ["traps", *map(str, arguments)])


def test_a_table_and_json(tmp_path):
    result = run("bn-momentum", 43, 62, "--json", tmp_path / "traps.json")
    assert result.exit_code == 0, result.output
    assert "bn-momentum" in result.stdout
    assert "3 traps (torch " in result.stdout
    assert "2 mended, 1 not run" in " ".join(result.stdout.split())
    content = json.loads((tmp_path / "traps.json").read_text())
    assert [row["number"] for row in content["traps"]] == [16, 43, 62]


def test_quiet_says_nothing():
    assert run("16", "--quiet").output == ""


def test_an_unknown_name_is_one_line():
    result = run("no-such-trap")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "stdc-parity: no trap is called no-such-trap: expected a number"
    )
    assert result.stderr.count("\n") == 1


def test_a_mend_that_does_not_mend_falls_short(monkeypatch):
    broken = [
        replace(entry, measure=lambda: Measured(1.0, 1.0)) if entry.number == 16 else entry
        for entry in catalogue.TRAPS
    ]
    monkeypatch.setattr(catalogue, "TRAPS", tuple(broken))
    result = run("16", "43")
    assert result.exit_code == 1
    assert "1 not mended" in " ".join(result.stdout.split())


def test_a_trap_that_cannot_be_run_is_no_failure(monkeypatch, tmp_path):
    def lacks() -> Measured:
        raise AttributeError("module 'paddle' has no attribute 'compat'")

    entries = [
        replace(entry, measure=lacks) if entry.number == 24 else entry for entry in catalogue.TRAPS
    ]
    monkeypatch.setattr(catalogue, "TRAPS", tuple(entries))
    result = run("24", "--json", tmp_path / "traps.json")
    assert result.exit_code == 0
    assert "1 trap (torch" in result.stdout
    assert "1 could not be run" in " ".join(result.stdout.split())
    (row,) = json.loads((tmp_path / "traps.json").read_text())["traps"]
    assert row["note"] == (
        "with this version: AttributeError: module 'paddle' has no attribute 'compat'"
    )


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(option):
    result = run(option)
    assert result.exit_code == 0
    assert "bn-momentum" in result.stdout
