"""The planted bugs and the correct ports, given to PaDiff and to ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.padiff import environment
from benchmarks.padiff.settings import SETTINGS, STRICT
from benchmarks.padiff.told import Told
from benchmarks.port_bugs.bug import Bug
from benchmarks.port_bugs.bugs import BUGS
from benchmarks.port_bugs.causes import KINDS
from benchmarks.port_bugs.correct import CORRECT
from benchmarks.port_bugs.network import NETWORKS
from benchmarks.port_bugs.score import share
from benchmarks.sections import Compared, Line

GROUPS = (*NETWORKS, "correct")
#: The order in which a correct port is asked about them.
CHECKS = ("forward", "backward", "loss", "train")
INTRODUCTION = """\
PaDiff 0.2.0 as it comes, with these versions of both frameworks, used as its documents say: \
evaluation mode and outputs first, gradients, loss and five training steps where the bug needs \
them; a LayerMap for recurrent layers, attention and second names; dropout off. The port has its \
weights from our converter, running statistics too, which PaDiff does not carry over by itself. \
Where it cannot pair the two networks' function calls it is asked again without them \
(`PADIFF_API_CHECK=OFF`), as its FAQ says. What it marks is read generously: a marked call counts \
for each container beside it and for every layer without parameters in there. Its defaults compare \
means to a relative 1e-7; strict compares every element to 1e-5, relative and absolute.

A bug is told apart if it is found and the same check passes the correct port of that network: \
whoever calls everything faulty tells nothing apart. PaDiff names no causes. **Bugs, causes and \
correct ports were written by us, and our harness was mended on them; PaDiff saw them first here.**
"""


#: What was said of the ports of a group: by setting, one a check.
Answers = list[dict[str, list[Told]]]


@dataclass(frozen=True)
class Outcome:
    """What came of one planted bug.

    Attributes:
        bug: that was planted.
        found: whether the port was called faulty.
        apart: whether, besides, the same check passes the correct port.
        placed: whether the right layer was named.
        asked: whether there was an answer at all.
    """

    bug: Bug
    found: bool
    apart: bool
    placed: bool
    asked: bool = True


@dataclass(frozen=True)
class Record:
    """What a tool made of everything.

    Attributes:
        name: of the tool and its setting.
        outcomes: one a bug.
        alarms: by correct port, whether it was called faulty; None where there was no answer.
    """

    name: str
    outcomes: tuple[Outcome, ...]
    alarms: Mapping[str, bool | None]


def rows(folder: Path) -> Iterator[Line]:
    """Yield the section's lines."""
    environment.python()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(asked, folder, group) for group in GROUPS]
        mine = pool.submit(ours, folder)
        told = dict(zip(GROUPS, (job.result() for job in jobs), strict=True))
        records = [mine.result()]
    records += [theirs(told, setting) for setting in SETTINGS]
    yield from tables(records)


def asked(folder: Path, group: str) -> Answers:
    """Ask PaDiff about a group of ports, again and without function calls where it cannot pair."""
    place = folder / group
    place.mkdir()
    count = len(CORRECT) if group == "correct" else sum(bug.network == group for bug in BUGS)
    lines = environment.lines_of(place, group, range(count))
    found = {line["number"]: answers_of(line) for line in lines}
    unclear = [n for n, port in found.items() if any(one.unpaired for one in flat(port))]
    for line in environment.lines_of(place, group, unclear, PADIFF_API_CHECK="OFF"):
        again = answers_of(line)
        found[line["number"]] = {
            setting: better(found[line["number"]][setting], again[setting]) for setting in SETTINGS
        }
    return [found[number] for number in range(count)]


def flat(port: Mapping[str, Sequence[Told]]) -> list[Told]:
    """Return all that was said of a port."""
    return [one for told in port.values() for one in told]


def ours(folder: Path) -> Record:
    """Ask our harness about everything."""
    path = folder / "ours.json"
    command = [sys.executable, "-m", "benchmarks.port_bugs", "--json", str(path)]
    subprocess.run(
        command, env=environment.surroundings(OMP_NUM_THREADS="1"), capture_output=True, check=True
    )
    said = json.loads(path.read_text(encoding="utf-8"))
    alarms = {port["name"]: port["false_alarm"] for port in said["correct"]}
    outcomes = tuple(
        Outcome(
            bug,
            row["found"],
            row["found"] and not alarms[as_it_is(bug.network)],
            bool(row["right_layer"]),
        )
        for bug, row in zip(BUGS, said["bugs"], strict=True)
    )
    return Record("ours", outcomes, alarms)


def theirs(told: Mapping[str, Answers], setting: str) -> Record:
    """Put together what PaDiff said under one setting."""
    names = [port.name for port in CORRECT]
    correct = dict(zip(names, (port[setting] for port in told["correct"]), strict=True))
    outcomes = tuple(
        outcome(bug, port[setting], correct[as_it_is(network)])
        for network in NETWORKS
        for bug, port in zip(
            (bug for bug in BUGS if bug.network == network), told[network], strict=True
        )
    )
    alarms = {name: alarm(one) for name, one in correct.items()}
    return Record(f"PaDiff, {setting}", outcomes, alarms)


def answers_of(line: Mapping[str, Any]) -> dict[str, list[Told]]:
    """Return what was said of a port under each setting, of each of its checks."""
    if "told" not in line:
        return {setting: [Told(False, error="the process died")] for setting in SETTINGS}
    return {
        setting: [Told(**{**one, "layers": tuple(one["layers"])}) for one in told]
        for setting, told in line["told"].items()
    }


def better(first: Sequence[Told], second: Sequence[Told]) -> list[Told]:
    """Return the answers without function calls where those with them could not be paired."""
    if len(first) != len(second):
        return list(max(first, second, key=len))
    pairs = zip(first, second, strict=True)
    return [two if one.unpaired and not two.error else one for one, two in pairs]


def outcome(bug: Bug, told: Sequence[Told], correct: Sequence[Told]) -> Outcome:
    """Return what came of a bug, beside what was said of the correct port in the same check."""
    (one,) = told
    check = CHECKS.index(bug.check)
    passes = check < len(correct) and not (correct[check].faulty or correct[check].error)
    placed = one.faulty and bool(set(one.layers) & set(bug.places()))
    return Outcome(bug, one.faulty, one.faulty and passes, placed, not one.error)


def alarm(told: Sequence[Told]) -> bool | None:
    """Return whether a correct port was called faulty; None if it could not be judged."""
    if any(one.faulty and not one.unpaired for one in told):
        return True
    return None if any(one.error or one.unpaired for one in told) else False


def as_it_is(network: str) -> str:
    """Return what the correct port of a network is called."""
    return f"{network} as it is"


def tables(records: Sequence[Record]) -> Iterator[Line]:
    """Yield the section's lines."""
    yield INTRODUCTION
    yield (
        "| | found | told apart | right layer | no answer | correct ports called faulty | "
        "no answer |"
    )
    yield "|---|---|---|---|---|---|---|"
    for record in records:
        silent = sum(not one.asked for one in record.outcomes)
        alarms = list(record.alarms.values())
        faulty = share([alarm is True for alarm in alarms])
        yield (
            f"| {record.name} | {shares(record.outcomes)} | {silent} | {faulty} | "
            f"{alarms.count(None)} |"
        )
    for title, key, names in (
        ("network", lambda one: one.bug.network, tuple(NETWORKS)),
        ("kind", lambda one: one.bug.kind, tuple(KINDS)),
    ):
        yield from by(title, key, names, records)
    (strict,) = (record for record in records if record.name.endswith(STRICT))
    yield from details(strict)
    yield from compared(records[0], strict)


def shares(outcomes: Sequence[Outcome]) -> str:
    """Return three columns: found, told apart, right layer."""
    placed = [one.placed for one in outcomes if one.bug.layer is not None]
    found, apart = ([getattr(one, what) for one in outcomes] for what in ("found", "apart"))
    return f"{share(found)} | {share(apart)} | {share(placed)}"


def by(title: str, key: Any, names: Sequence[str], records: Sequence[Record]) -> Iterator[str]:
    """Yield a table with a line a network or kind."""
    yield f"\n| {title} | tool | found | told apart | right layer |"
    yield "|---|---|---|---|---|"
    for name in names:
        for record in records:
            part = [one for one in record.outcomes if key(one) == name]
            yield f"| {name} | {record.name} | {shares(part)} |"


def details(record: Record) -> Iterator[str]:
    """Yield what a tool got wrong, by name."""
    for title, names in (
        ("Not found", [one.bug.name for one in record.outcomes if one.asked and not one.found]),
        ("No answer", [one.bug.name for one in record.outcomes if not one.asked]),
        ("Correct ports called faulty", [n for n, called in record.alarms.items() if called]),
    ):
        yield f"\n{title} by {record.name}: {'; '.join(names) or 'none'}."


def compared(mine: Record, other: Record) -> Iterator[Compared]:
    """Yield the lines at the top."""
    for what, counts in (
        ("planted bugs told apart from the correct port", lambda r: [o.apart for o in r.outcomes]),
        (
            "planted bugs found at the right layer",
            lambda r: [o.placed for o in r.outcomes if o.bug.layer is not None],
        ),
        ("correct ports called right", lambda r: [a is False for a in r.alarms.values()]),
    ):
        ours, theirs = counts(mine), counts(other)
        yield Compared(what, sum(ours), sum(theirs), f"of {len(ours)}", other.name, more=True)
