"""The planted bugs and the correct ports, given to PaDiff and to ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.padiff import environment
from benchmarks.padiff.record import Outcome, Record
from benchmarks.padiff.settings import SETTINGS
from benchmarks.padiff.tables import tables
from benchmarks.padiff.told import Told
from benchmarks.port_bugs.bug import Bug
from benchmarks.port_bugs.bugs import BUGS
from benchmarks.port_bugs.correct import CORRECT
from benchmarks.port_bugs.network import NETWORKS
from benchmarks.sections import Line

#: The one that takes longest first.
GROUPS = ("correct", *NETWORKS)
#: The order in which a correct port is asked about them.
CHECKS = ("forward", "backward", "loss", "train")
#: What was said of the ports of a group: by setting, one a check.
Answers = list[dict[str, list[Told]]]


def rows(folder: Path) -> Iterator[Line]:
    """Yield the section's lines."""
    environment.python()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        mine = pool.submit(ours, folder)
        jobs = [pool.submit(asked, folder, group) for group in GROUPS]
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
    """Return the answers without function calls where those with them could not be paired.

    Such an answer names what either of the two names.
    """
    if len(first) != len(second):
        return list(max(first, second, key=len))
    return [
        replace(two, layers=(*one.layers, *two.layers)) if one.unpaired and not two.error else one
        for one, two in zip(first, second, strict=True)
    ]


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
