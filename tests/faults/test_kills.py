"""A short run of what `make faults` does at length."""

from __future__ import annotations

from pathlib import Path

from kills import CONVERT, OLD, is_checkpoint, kills, state

from converters.command_line import may_become_report


def test_killed_at_random_moments_old_or_new_is_whole() -> None:
    toll = kills(CONVERT, 3)
    assert toll.failures == [], "\n".join(toll.lines())
    assert sum(toll.counts.values()) == 9


def test_a_broken_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.pdparams"
    path.write_text(OLD)
    assert state(path, is_checkpoint) == "old"
    path.write_text(OLD[:-2])
    assert state(path, is_checkpoint) == "broken"


def test_a_page_may_take_the_place_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    page.write_text("<!doctype html>\n<title>old</title>\n")
    assert may_become_report(page)
    page.write_text("my notes")
    assert not may_become_report(page)
