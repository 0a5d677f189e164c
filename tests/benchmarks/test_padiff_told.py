"""What PaDiff prints is read generously, and its answers are put together without loss."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.padiff import bugs, environment
from benchmarks.padiff.bugs import alarm, as_it_is, better, outcome, theirs
from benchmarks.padiff.record import Record
from benchmarks.padiff.settings import SETTINGS, STRICT
from benchmarks.padiff.tables import tables
from benchmarks.padiff.told import Told, containers, logs_in, marked, nodes, place
from benchmarks.port_bugs.bugs import BUGS
from benchmarks.port_bugs.correct import CORRECT
from benchmarks.port_bugs.network import NETWORKS
from benchmarks.sections import Compared

TREE = """\
Paddle Model
=========================
    (net) Net  (Net)    <---  *** HERE ***
Torch Model
=========================
    (net) Net  (Net){root}
     |--- (net) Conv2d  (Net.stem.0){conv}
     |     +--- (api) torch.nn.functional.conv2d{call}
     |--- (net) BatchNorm2d  (Net.block.bn)
     |--- (api) torch.Tensor.__add__{add}
     +--- (net in map) GRU  (Net.reader){gru}
"""
BARE = ("stem.1", "block.relu", "pool")
HERE = "    <---  *** HERE ***"


def report(**marks: str) -> str:
    return TREE.format(**{**dict.fromkeys(("root", "conv", "call", "add", "gru"), ""), **marks})


@pytest.mark.parametrize(
    ("node", "layers"),
    [
        ("root", {"", "pool"}),
        ("conv", {"stem.0"}),
        ("call", {"stem.0"}),
        ("add", {"", "block", "block.relu", "pool"}),
        ("gru", {"reader"}),
    ],
)
def test_the_marked_place_and_what_it_may_mean(node: str, layers: set[str]) -> None:
    assert set(place(report(**{node: HERE}), {}, BARE)) == layers


def test_a_large_tree_is_in_a_file() -> None:
    written = report(gru=HERE).partition("Torch Model")[2]
    assert place("FAILED !!!", {"torch_struct.log": written}, BARE) == ("reader",)


def test_of_a_list_of_parameters_every_layer_counts() -> None:
    said = "paddle path:\n    Net.a.weight\ntorch path:\n    Net.stem.0.weight\n\n"
    assert place("", {"grad_diff.log": said}, BARE) == ("stem.0",)
    assert place("", {"weight_diff.log": said}, BARE) == ("stem.0",)


def test_no_mark_is_no_place() -> None:
    assert place(report(), {}, BARE) == ()
    assert marked(nodes("")) == set()
    assert containers("a.0.b") == ["", "a", "a.0"]


def test_logs_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "grad_diff.log").write_text("said")
    assert logs_in(tmp_path) == {"grad_diff.log": "said"}
    assert logs_in(tmp_path) == {}
    assert logs_in(tmp_path / "nowhere") == {}


BUG = next(bug for bug in BUGS if bug.check == "backward" and bug.layer)
RIGHT = Told(True, (BUG.layer or "",))
SAME, WRONG, LOST, SILENT = (
    Told(False),
    Told(True, ("x",)),
    Told(True, unpaired=True),
    Told(False, error="RuntimeError: no"),
)


def test_a_bug_is_told_apart_where_the_correct_port_passes_the_same_check() -> None:
    passes, fails = [WRONG, SAME], [SAME, WRONG]
    assert outcome(BUG, [RIGHT], passes).apart
    assert outcome(BUG, [RIGHT], passes).placed
    assert outcome(BUG, [RIGHT], fails).found
    assert not outcome(BUG, [RIGHT], fails).apart
    assert not outcome(BUG, [WRONG], passes).placed
    assert not outcome(BUG, [SAME], passes).found
    assert not outcome(BUG, [SILENT], passes).asked
    assert not outcome(BUG, [RIGHT], [SILENT]).apart


@pytest.mark.parametrize(
    ("told", "called"),
    [
        ([SAME, SAME], False),
        ([SAME, WRONG], True),
        ([SAME, LOST], None),
        ([SILENT, SAME], None),
        ([SILENT, WRONG], True),
    ],
)
def test_what_cannot_be_paired_is_no_false_alarm(told: list[Told], called: bool | None) -> None:
    assert alarm(told) is called


def test_the_answers_without_calls_count_where_those_with_them_could_not_be_paired() -> None:
    assert better([LOST], [WRONG]) == [WRONG]
    named = replace(LOST, layers=("",))
    assert better([named], [WRONG]) == [replace(WRONG, layers=("", *WRONG.layers))]
    assert better([RIGHT], [WRONG]) == [RIGHT]
    assert better([LOST], [SILENT]) == [LOST]
    assert better([SILENT], [SAME, SAME]) == [SAME, SAME]


def answers(one: Told, correct: Told) -> dict[str, list[dict[str, list[Told]]]]:
    told = {
        network: [{name: [one] for name in SETTINGS} for bug in BUGS if bug.network == network]
        for network in NETWORKS
    }
    told["correct"] = [{name: [correct] * 4 for name in SETTINGS} for _ in CORRECT]
    return told


def test_the_tables_count_everything() -> None:
    everything = theirs(answers(WRONG, WRONG), STRICT)
    nothing = theirs(answers(SAME, SAME), STRICT)
    ours = Record("ours", nothing.outcomes, nothing.alarms)
    lines = list(tables([ours, everything]))
    text = "\n".join(line for line in lines if isinstance(line, str))
    count, ports = len(BUGS), len(CORRECT)
    placed = sum(bug.layer is not None for bug in BUGS)
    row = f"| PaDiff, {STRICT} | {count} of {count} | 0 of {count} | 0 of {placed} | 0 | "
    assert f"{row}{ports} of {ports} | 0 |" in text
    assert f"| tagger | PaDiff, {STRICT} | 26 of 26 | 0 of 26 |" in text
    assert f"Not found by PaDiff, {STRICT}: none." in text
    tops = [line for line in lines if isinstance(line, Compared)]
    assert [(top.ours, top.other) for top in tops] == [(0, 0), (0, 0), (ports, 0)]


def test_the_section_asks_both_about_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = answers(RIGHT, SAME)
    ours = theirs(answers(WRONG, SAME), STRICT)
    monkeypatch.setattr(environment, "python", lambda: "")
    monkeypatch.setattr(bugs, "asked", lambda _, group: told[group])
    monkeypatch.setattr(bugs, "ours", lambda _: replace(ours, name="ours"))
    lines = [line for line in bugs.rows(tmp_path) if isinstance(line, str)]
    names = [line.split(" | ")[0] for line in lines if "| 0 of 32 |" in line]
    assert names == ["| ours", *(f"| PaDiff, {setting}" for setting in SETTINGS)]


def test_our_own_answers_are_read_from_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {
        "bugs": [{"found": True, "right_layer": bug.layer is not None or None} for bug in BUGS],
        "correct": [{"name": port.name, "false_alarm": False} for port in CORRECT],
    }

    def run(command: list[str], **_: Any) -> None:
        Path(command[-1]).write_text(json.dumps(said))

    monkeypatch.setattr(bugs.subprocess, "run", run)
    record = bugs.ours(tmp_path)
    assert all(one.found and one.apart and one.asked for one in record.outcomes)
    assert [one.placed for one in record.outcomes] == [bug.layer is not None for bug in BUGS]
    assert set(record.alarms.values()) == {False}


def test_every_network_has_its_correct_port() -> None:
    assert {as_it_is(name) for name in NETWORKS} <= {port.name for port in CORRECT}


FAKE = """\
import json, os, sys
for number in sys.argv[2:]:
    if number == os.environ["DEADLY"]:
        os.abort()
    print("noise")
    print(json.dumps({"number": int(number)}), flush=True)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program in the place of the one that asks PaDiff."""
    package = tmp_path / "benchmarks" / "padiff"
    package.mkdir(parents=True)
    (package / "run.py").write_text(FAKE)
    for folder in (package, package.parent):  # before the real one, wherever that is found
        (folder / "__init__.py").touch()
    monkeypatch.setattr(environment, "python", lambda: sys.executable)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    return tmp_path


def test_a_port_that_kills_the_process_costs_only_its_own_answer(fake: Path) -> None:
    lines: list[dict[str, Any]] = list(environment.lines_of(fake, "x", range(4), DEADLY="1"))
    assert [line["number"] for line in lines] == [0, 1, 2, 3]
    assert ["died" in line for line in lines] == [False, True, False, False]
    assert bugs.answers_of(lines[1])[STRICT][0].error == "the process died"
    with pytest.raises(RuntimeError, match="PaDiff could not be asked"):
        list(environment.lines_of(fake, "x", range(2), DEADLY="0"))


def test_answers_survive_the_way_between_processes() -> None:
    line = {"number": 0, "told": {STRICT: [{**asdict(RIGHT), "layers": list(RIGHT.layers)}]}}
    assert bugs.answers_of(line) == {STRICT: [RIGHT]}
