"""Commands killed at random moments: what they leave is the old file whole or the new one whole.

A training goes on from what it left, and ends with the very bits of one that was never killed.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from random import Random

from starts import ROOT, start
from victims import VICTIMS, Ended, Victim

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# Ends of a process: done; stopped in order; and by the signal itself, before there was anything to
# clean up or where it cannot be caught.
ENDS: Mapping[signal.Signals, tuple[int, ...]] = {
    signal.SIGKILL: (0, -signal.SIGKILL),
    signal.SIGTERM: (0, 143, -signal.SIGTERM),
    signal.SIGINT: (0, 130, -signal.SIGINT),
}
# What a training says that has saved its state; asked by SIGTERM, that is a good end.
SAVED = "stopped by SIG"
# One in so many loads everything anew, and may be killed while it does.
FRESH = 10


@dataclass
class Toll:
    """What became of the killed commands.

    Attributes:
        counts: of (command, signal, exit code, what lay there).
        failures: what should not have happened.
    """

    counts: Counter[tuple[str, str, int, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield a table and the failures."""
        for (name, number, code, files), count in sorted(self.counts.items()):
            yield f"{count:>6}  {name:8} {number:8} exit {code:>4}  {files}"
        yield from self.failures[:20]

    def __iadd__(self, other: Toll) -> Toll:
        """Add another one's."""
        self.counts += other.counts
        self.failures += other.failures
        return self


def began_not(ended: Ended, number: signal.Signals) -> bool:
    """Whether Ctrl-C met Python before it came to the command: it ends with a 1, and a trace."""
    return number == signal.SIGINT and ended.code == 1 and str(ROOT) not in ended.errors


@dataclass
class Killer:
    """Kills one command in one folder.

    Attributes:
        victim: the command.
        folder: where it runs.
        random: moments and order.
        toll: of all.
        fresh: one in so many starts loads everything anew; 0: none.
        seconds: that a run takes, by whether it is a fresh one.
    """

    victim: Victim
    folder: Path
    random: Random
    fresh: int = 0
    toll: Toll = field(default_factory=Toll)
    seconds: dict[bool, float] = field(default_factory=dict)

    def kill(self, number: signal.Signals) -> None:
        """Run until it is hit by a signal, and look at what it left."""
        ended = None
        while ended is None:
            self.victim.begin(self.folder)
            before = self.victim.left(self.folder)
            fresh = bool(self.fresh) and self.random.randrange(self.fresh) == 0
            after = self.random.uniform(0, self.seconds[fresh])
            running = start(self.victim, self.folder, fresh=fresh)
            ended = running.end(after, number)
        told = f"{self.victim.name}, {number.name} after {after:.3f} s"
        self.judge(ended, number, told, set(self.victim.left(self.folder)) - set(before))

    def judge(self, ended: Ended, number: signal.Signals, told: str, new: set[str]) -> None:
        """Note how a killed run ended, and what should not be.

        Args:
            ended: the run.
            number: what it was hit by.
            told: the run in words.
            new: what it left.
        """
        seen = self.victim.look(self.folder)
        saved = SAVED in ended.errors and len(ended.errors.splitlines()) == 1
        found = [*seen.faults]
        if ended.code not in ENDS[number] and not began_not(ended, number):
            found.append("not an exit code of it")
        if number != signal.SIGKILL and new:
            found.append(f"left {new}")
        if (ended.code in (0, 130) or number == signal.SIGTERM) and ended.errors and not saved:
            found.append("said something")
        if ended.code == 0 and saved == seen.done:
            found.append(f"files {seen.state}")
        self.toll.failures.extend(
            f"{told}: exit {ended.code}: {one}: {ended.errors[-500:]}" for one in found
        )
        state = f"saved, {seen.state}" if saved else seen.state
        self.toll.counts[self.victim.name, number.name, ended.code, state] += 1

    def time(self, *, fresh: bool) -> None:
        """Note how long a run takes that begins with nothing."""
        self.victim.begin(self.folder)
        running = start(self.victim, self.folder, fresh=fresh)
        begun = time.perf_counter()
        self._judge_whole(running.end())
        self.seconds[fresh] = time.perf_counter() - begun

    def run(self) -> None:
        """Run to the end, and look that nothing of forerunners is left."""
        self._judge_whole(start(self.victim, self.folder, fresh=False).end())

    def _judge_whole(self, ended: Ended | None) -> None:
        assert ended is not None
        seen, left = self.victim.look(self.folder), self.victim.left(self.folder)
        if ended.code or left or not seen.done or seen.faults:
            self.toll.failures.append(
                f"{self.victim.name}, the next run: exit {ended.code}, left {left}, "
                f"{seen.state} {seen.faults}: {ended.errors[-500:]}"
            )


def kills(
    name: str,
    count: int,
    seed: int = 0,
    *,
    fresh: int = FRESH,
    where: Path | None = None,
) -> Toll:
    """Kill a command many times.

    Args:
        name: of the command.
        count: how often with each signal; after each round of them, in any order, a run comes to
            its end.
        seed: of the moments.
        fresh: one in so many starts loads everything anew; 0: none.
        where: for the folder that it runs in.
    """
    with tempfile.TemporaryDirectory(dir=where) as place:
        folder = Path(place) / "run"
        folder.mkdir()
        killer = Killer(VICTIMS[name](), folder, Random(seed), fresh)  # noqa: S311
        killer.victim.prepare(folder)
        for anew in {False, bool(fresh)}:
            killer.time(fresh=anew)
        for _ in range(count):
            for number in killer.random.sample(SIGNALS, len(SIGNALS)):
                killer.kill(number)
            killer.run() if killer.victim.goes_on else killer.time(fresh=False)
    return killer.toll


def shares(count: int, jobs: int) -> list[int]:
    """Divide a count as evenly as it goes."""
    return [len(range(job, count, jobs)) for job in range(min(jobs, count))]


def main() -> None:
    """Kill what the command line says, in several processes at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, help="kills with each signal")
    parser.add_argument("names", nargs="*", metavar="command", help=", ".join(VICTIMS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="commands at once")
    given = parser.parse_args()
    failed = False
    with ProcessPoolExecutor(given.jobs, get_context("spawn")) as pool:
        for name in given.names or VICTIMS:
            counts, toll = shares(given.count, given.jobs), Toll()
            seeds = range(given.seed, given.seed + len(counts))
            for part in pool.map(kills, repeat(name), counts, seeds):
                toll += part
            sys.stdout.writelines(f"{line}\n" for line in toll.lines())
            sys.stdout.flush()
            failed = failed or bool(toll.failures)
    sys.exit(failed)


if __name__ == "__main__":
    main()
