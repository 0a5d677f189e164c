"""A short run of what `make faults` does at length."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

import pytest
from kills import Killer, began_not, kills, shares
from starts import HANGS, ROOT
from victims import OLD, Ended, Parity, Training, is_checkpoint, state

from converters.command_line import may_become_report


@pytest.mark.parametrize(("name", "count"), [("convert", 3), ("parity", 2)])
def test_killed_at_random_moments_old_or_new_is_whole(
    name: str, count: int, tmp_path: Path
) -> None:
    toll = kills(name, count, fresh=0, where=tmp_path)
    assert toll.failures == [], "\n".join(toll.lines())
    assert sum(toll.counts.values()) == 3 * count


def test_a_training_killed_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    toll = kills("training", 1, fresh=0, where=tmp_path)
    assert toll.failures == [], "\n".join(toll.lines())
    assert sum(toll.counts.values()) == 3


def test_a_broken_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.pdparams"
    path.write_text(OLD)
    assert state(path, is_checkpoint) == "old"
    path.write_text(OLD[:-2])
    assert state(path, is_checkpoint) == "broken"


def test_other_weights_than_those_of_a_whole_run_are_seen(tmp_path: Path) -> None:
    victim = Training()
    victim.whole = {"model.pdparams": "digest"}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.pdparams").write_bytes(b"half")
    faults = "\n".join(victim.look(tmp_path).faults)
    assert "model.pdparams is broken" in faults
    assert "model.pdparams is another one than that of a run never interrupted" in faults
    assert "the log has iterations []" in faults


@pytest.mark.parametrize(
    ("ended", "wrong"),
    [
        (Ended(HANGS, ""), "not an exit code"),
        (Ended(1, "Traceback"), "not an exit code"),
        (Ended(143, "Exception ignored in"), "said something"),
        (Ended(0, ""), "files old old"),
    ],
)
def test_a_bad_end_is_seen(tmp_path: Path, ended: Ended, wrong: str) -> None:
    (tmp_path / "scratch").mkdir()
    killer = Killer(Parity(), tmp_path, Random(0))  # noqa: S311
    killer.victim.begin(tmp_path)
    killer.judge(ended, signal.SIGTERM, "it", set())
    assert wrong in killer.toll.failures[0]


def test_python_that_was_only_starting_is_no_bad_end() -> None:
    trace = 'File "<frozen site>", line 9\nKeyboardInterrupt\n'
    assert began_not(Ended(1, trace), signal.SIGINT)
    assert not began_not(Ended(1, trace), signal.SIGTERM)
    assert not began_not(Ended(1, f'File "{ROOT}/converters/cli.py"'), signal.SIGINT)


def test_every_kill_has_its_job() -> None:
    assert shares(10, 4) == [3, 3, 2, 2]
    assert shares(1, 4) == [1]


def test_a_page_may_take_the_place_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    page.write_text("<!doctype html>\n<title>old</title>\n")
    assert may_become_report(page)
    page.write_text("my notes")
    assert not may_become_report(page)
