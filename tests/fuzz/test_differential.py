"""Both readers on the same broken files: the same bits, or a listed reason why one refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from differences import DIFFERENCES, Difference, reason_for
from differential import Read, compare, loads, ours, verdict
from examples import EXAMPLES, MORE

from converters.formats import pickle_budget

COUNT = 120
SECURITY = Path(__file__).parents[2] / "docs/security.md"
TENSORS = {"weight": ("float32", (1,), b"\0\0\x80\x3f")}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_torch_reads_too_is_read_alike_and_the_rest_has_a_listed_reason() -> None:
    account = compare(COUNT)
    assert account.unlisted == []
    assert sum(account.counts.values()) == COUNT
    assert account.counts["both read, every bit alike"] > 5
    assert account.counts["both refuse"] > 40


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reason", DIFFERENCES, ids=lambda reason: reason.name)
def test_each_reason_has_a_file_that_one_reads_and_the_other_refuses(
    reason: Difference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason.name == "opcodes or objects without end":
        monkeypatch.setattr(pickle_budget, "ROOM", 10_000)
    for make in (EXAMPLES[reason.name], *MORE.get(reason.name, ())):
        path = tmp_path / "a.pth"
        path.write_bytes(make())
        us, them = ours(path), loads(path)
        refused = us if reason.side == "we refuse" else them
        assert (us.tensors is None, them.tensors is None) == (refused is us, refused is them)
        assert reason_for(reason.side, refused.refusal) == reason.name, refused.refusal


def test_every_example_is_of_a_listed_reason() -> None:
    names = [reason.name for reason in DIFFERENCES]
    assert list(EXAMPLES) == names
    assert set(MORE) <= set(names)


@pytest.mark.parametrize("side", [0, 1])
def test_a_reason_that_is_not_listed_is_noticed(side: int) -> None:
    pair = [Read(TENSORS), Read(refusal="something new")]
    name, story = verdict(pair[side], pair[1 - side])
    assert name == ""
    assert "something new" in story


@pytest.mark.parametrize(
    "other",
    [
        {"weight": ("float32", (1,), b"\1\0\x80\x3f")},
        {"weight": ("int32", (1,), b"\0\0\x80\x3f")},
        {"weight": ("float32", (1, 1), b"\0\0\x80\x3f")},
        {"bias": TENSORS["weight"]},
        {},
    ],
)
def test_any_difference_of_what_both_read_is_noticed(other: dict) -> None:
    assert verdict(Read(TENSORS), Read(dict(TENSORS)))[1] == ""
    assert verdict(Read(TENSORS), Read(other))[1].startswith("both read, and differ")


def test_the_document_shows_every_reason() -> None:
    shown = re.findall(
        r"^\| (we|torch) refuses? \| (.+?) \|", SECURITY.read_text("utf-8"), re.MULTILINE
    )
    assert shown == [(one.side.split()[0], one.name) for one in DIFFERENCES]
