"""Patterns of a file of rules that try without end, or are none."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from converters import InputError
from converters.cli import main
from converters.patterns import Patience, Pattern

ENDLESS = {
    "nested": r"(a+)+!",
    "alternatives that overlap": r"(a|aa)+c",
    "the same alternative twice": r"(a|a)*b",
    "optional": r"(a?){30}a{30}c",
    "polynomial": r"(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)c",
}
LONG = f"{'a' * 40}.weight"
SAYS = {
    "rename": 'to = "b"',
    "drop": "",
    "kind": 'kind = "linear"',
    "tensor": 'kind = "parameter"',
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("patterns") / "a.pth"
    torch.save({LONG: torch.ones(2, 2)}, path)
    return path


@pytest.mark.parametrize("table", SAYS)
def test_a_pattern_without_end_is_refused_in_one_line(
    saved: Path, tmp_path: Path, table: str
) -> None:
    rules, pattern = tmp_path / "rules.toml", ENDLESS["nested"]
    rules.write_text(f"[[{table}]]\npattern = '{pattern}'\n{SAYS[table]}\n")
    words = [str(saved), "--rules", str(rules), "-o", str(tmp_path / "b.pdparams")]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 2
    assert len(found.output.splitlines()) == 1
    assert f"{rules}: [[{table}]] '{pattern}': takes more than a second" in found.output


@pytest.mark.parametrize("pattern", ENDLESS.values(), ids=list(ENDLESS))
def test_patterns_of_one_file_share_their_time(pattern: str) -> None:
    """So a thousand of them take no longer than one; timer and handler are as they were."""
    patience, before = Patience(0.01), signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(InputError, match="takes more than a second"):
        Pattern.of(pattern, "rules.toml: [[drop]]", patience).fullmatch(LONG)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)
    assert signal.getsignal(signal.SIGVTALRM) == before


def test_matches_that_take_their_time_each_end_too() -> None:
    """None of them is interrupted, in a thread none can be: their sum is too much."""
    patience, errors = Patience(1e-3), []
    slow = Pattern.of(r"(a*)(a*)b", "rules.toml: [[drop]]", patience)

    def match() -> None:
        try:
            for _ in range(1000):
                slow.fullmatch("a" * 200)
        except InputError as error:
            errors.append(error)

    thread = threading.Thread(target=match)
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_many_keys_are_no_reason_to_refuse_a_pattern() -> None:
    patience = Patience(0.1)
    usual = Pattern.of(r"(backbone|head)\.(.*)\.(weight|bias)", "rules.toml: [[drop]]", patience)
    for number in range(10_000):
        assert usual.fullmatch(f"backbone.layers.{number}.conv.weight")
    assert patience.left > 0


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(" * 5000 + ")" * 5000, "is nested without end"),
        ("a{99999999999999999999}", "repetition number is too large"),
        ("(a", "missing )"),
    ],
)
def test_what_is_no_pattern_is_refused_in_one_line(
    saved: Path, tmp_path: Path, pattern: str, why: str
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(f"[[drop]]\npattern = '{pattern}'\n")
    found = CliRunner().invoke(main, [str(saved), "--rules", str(rules)])
    assert (found.exit_code, len(found.output.splitlines())) == (2, 1)
    assert f"{rules}: [[drop]] " in found.output
    assert why in found.output


def test_python_warns_of_no_pattern(saved: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[drop]]\npattern = '[[a]b]'\n")
    words = [sys.executable, "-W", "default", "-m", "converters.cli"]
    words += [str(saved), "--rules", str(rules)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    assert ended.stderr.splitlines() == ["error: --rules: no key fits '[[a]b]'; correct it"]


def test_rules_without_number_are_refused(saved: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[drop]]\npattern = 'a'\n" * 1001)
    found = CliRunner().invoke(main, [str(saved), "--rules", str(rules)])
    assert found.exit_code == 2
    assert "1001 rules [[drop]]; at most 1000 are read" in found.output
