"""Commands killed at random moments: what they leave is the old file whole or the new one whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from converters import read_checkpoint

ROOT = Path(__file__).parents[2]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# Ends of a process: done; stopped in order; and by the signal itself, before there was anything to
# clean up or where it cannot be caught. Python itself, while it starts, ends Ctrl-C with a 1.
ENDS: Mapping[signal.Signals, tuple[int, ...]] = {
    signal.SIGKILL: (0, -signal.SIGKILL),
    signal.SIGTERM: (0, 143, -signal.SIGTERM),
    signal.SIGINT: (0, 130, -signal.SIGINT),
}
# Such that a report may take its place, JSON's or a page's.
OLD = '{"old": "file"}\n'
OLD_PAGE = "<!doctype html>\n<title>old</title>\n"
# Of the time that a command takes, so long after its start it is killed at the latest.
LATEST = 1.05
SAVE = """
import sys, torch
torch.manual_seed(1)
torch.save({f"{n}.weight": torch.randn(64, 64, 3, 3) for n in range(60)}, sys.argv[1])
"""


@dataclass(frozen=True)
class Victim:
    """A command that is killed.

    Attributes:
        name: of it.
        words: the command, run in a folder that holds its input.
        files: what it writes, and how a whole new one is told.
    """

    name: str
    words: tuple[str, ...]
    files: Mapping[str, Callable[[Path], bool]]


def is_checkpoint(path: Path) -> bool:
    """Tell whether a converted file holds every tensor."""
    found = read_checkpoint(path)
    return len(found) == 60 and all(one.load().shape == (64, 64, 3, 3) for one in found.values())


def is_report(path: Path) -> bool:
    """Tell whether a report is JSON from its beginning to its end."""
    return len(json.loads(path.read_text("utf-8"))) > 1


def is_page(path: Path) -> bool:
    """Tell whether a page is there to its end."""
    return path.read_text("utf-8").rstrip().endswith("</html>")


CONVERT = Victim(
    "convert",
    ("converters.cli", "-q", "a.pth", "--force", "-o", "a.pdparams", "--json", "r.json"),
    {"a.pdparams": is_checkpoint, "r.json": is_report},
)
PARITY = Victim(
    "parity",
    (
        *("parity", "-q", "--arch", "stdc1", "--size", "64x64", "--precision", "float32"),
        *("--json", "r.json", "--html", "r.html"),
    ),
    {"r.json": is_report, "r.html": is_page},
)
VICTIMS = {one.name: one for one in (CONVERT, PARITY)}


@dataclass
class Toll:
    """What became of the killed commands.

    Attributes:
        counts: of (command, signal, exit code, which files were there).
        failures: what should not have happened.
    """

    counts: Counter[tuple[str, str, int, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield a table and the failures."""
        for (name, number, code, files), count in sorted(self.counts.items()):
            yield f"{count:>6}  {name:8} {number:8} exit {code:>4}  {files}"
        yield from self.failures[:20]


def start(victim: Victim, folder: Path) -> subprocess.Popen[str]:
    """Start a command in a folder."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-W", "ignore", "-m", *victim.words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill(victim: Victim, folder: Path, number: signal.Signals, after: float, toll: Toll) -> None:
    """Kill a command after some seconds and look at what it left."""
    for name in victim.files:
        (folder / name).write_text(old(name), encoding="utf-8")
    before = left(victim, folder)
    process = start(victim, folder)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    _, errors = process.communicate()
    states = [state(folder / name, whole) for name, whole in victim.files.items()]
    told = f"{victim.name}, {number.name} after {after:.3f} s"
    if process.returncode not in ENDS[number] and "<frozen site>" not in errors:
        toll.failures.append(f"{told}: exit {process.returncode}: {errors[-500:]}")
    new = set(left(victim, folder)) - set(before)
    if process.returncode in (143, 130) and (new or errors):
        toll.failures.append(f"{told}: left {new}, said {errors[-500:]!r}")
    if "broken" in states or (process.returncode == 0 and "old" in states):
        toll.failures.append(f"{told}: exit {process.returncode}, files {states}")
    toll.counts[victim.name, number.name, process.returncode, " ".join(states)] += 1


def old(name: str) -> str:
    """Return what an old file holds."""
    return OLD_PAGE if name.endswith(".html") else OLD


def state(path: Path, whole: Callable[[Path], bool]) -> str:
    """Return which of its files has a name: the old or the new one, or something broken."""
    if path.read_text("utf-8", errors="replace") == old(path.name):
        return "old"
    try:
        return "new" if whole(path) else "broken"
    except Exception:  # noqa: BLE001 - however it is broken
        return "broken"


def left(victim: Victim, folder: Path) -> list[str]:
    """Return what lies in the folder beside input and output."""
    known = {"a.pth", *victim.files}
    return sorted(path.name for path in folder.iterdir() if path.name not in known)


def clean_run(victim: Victim, folder: Path, toll: Toll) -> float:
    """Run a command to its end, look that it leaves nothing of its forerunners, and time it."""
    begun = time.perf_counter()
    process = start(victim, folder)
    _, errors = process.communicate()
    if process.returncode or left(victim, folder):
        toll.failures.append(
            f"{victim.name}, the next run: exit {process.returncode}, "
            f"left {left(victim, folder)}: {errors[-500:]}"
        )
    return time.perf_counter() - begun


def kills(
    victim: Victim,
    count: int,
    seed: int = 0,
    *,
    each: int = 10,
    signals: Sequence[signal.Signals] = SIGNALS,
) -> Toll:
    """Kill a command many times.

    Args:
        victim: the command.
        count: how often with each signal.
        seed: of the moments.
        each: after so many of every signal a run to the end follows.
        signals: to send, one after the other.
    """
    toll, random = Toll(), Random(seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save = [sys.executable, "-c", SAVE, str(folder / "a.pth")]
        subprocess.run(save, check=True)  # noqa: S603
        seconds = clean_run(victim, folder, toll)
        for turn in range(count):
            for number in signals:
                kill(victim, folder, number, random.uniform(0, LATEST * seconds), toll)
            if turn % each == each - 1 or turn == count - 1:
                seconds = clean_run(victim, folder, toll)
    return toll


if __name__ == "__main__":
    name, number, *rest = sys.argv[1:]
    found = kills(VICTIMS[name], int(number), *map(int, rest))
    sys.stdout.writelines(f"{line}\n" for line in found.lines())
    sys.exit(bool(found.failures))
