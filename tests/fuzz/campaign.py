"""Many broken files, each under guard, in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from guard import Guard, Outcome, limit
from mutations import CANARY, ESCAPED, mutated
from seeds import Seeds
from subjects import OUT, SUBJECTS, Subject

CHUNK = 500
# Seeds that no campaign reaches.
AHEAD, WARMING = 2**40, 10
# A process that a file brings down does not answer; its share is then a failure.
PATIENCE = 600
CANARIES = (Path(CANARY.split()[-1]), Path(ESCAPED))


@dataclass
class Tally:
    """What became of all files.

    Attributes:
        counts: of (format, what happened).
        failures: seed, format and what went wrong.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[int, str, Outcome]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield a table and the failures."""
        formats = sorted({name for name, _ in self.counts})
        kinds = sorted({kind for _, kind in self.counts})
        yield f"{'format':12}" + "".join(f"{kind:>10}" for kind in kinds)
        for name in formats:
            yield f"{name:12}" + "".join(f"{self.counts[name, kind]:>10}" for kind in kinds)
        total = {kind: sum(n for (_, k), n in self.counts.items() if k == kind) for kind in kinds}
        yield f"{'all':12}" + "".join(f"{total[kind]:>10}" for kind in kinds)
        for seed, name, outcome in self.failures[:200]:
            yield f"\nseed {seed}, {name}: {outcome.kind}\n{outcome.detail}"


def share(work: tuple[str, Seeds, range]) -> list[tuple[int, str, Outcome]]:
    """Try some files in this process."""
    subject, made, numbers = SUBJECTS[work[0]], work[1], work[2]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, form in subject.beside.items():
            (Path(folder) / name).write_bytes(made[form])
        warm_up(subject, Path(folder), made)
        limit()
        guard = Guard(Path(folder))
        for seed in numbers:
            form, data = mutated(made, seed, subject.by_format)
            path = Path(folder) / subject.name(form)
            path.write_bytes(data)
            outcome = guard(subject.use, path, refusals())
            left = {entry.name for entry in Path(folder).iterdir()}
            if odd := left - {*subject.beside, path.name, OUT}:
                outcome = Outcome("left behind", ", ".join(sorted(odd)))
            if any(canary.exists() for canary in CANARIES):
                outcome = Outcome("forbidden", "code was run")
            found.append((seed, form, outcome))
            for entry in left - {*subject.beside}:
                (Path(folder) / entry).unlink()
    return found


def refusals() -> tuple[type[Exception], ...]:
    """Return the errors that commands tell in one line of their own."""
    from converters import ConverterError
    from parity.dump import DumpError

    return ConverterError, DumpError


def warm_up(subject: Subject, folder: Path, made: Seeds) -> None:
    """Import all that reading imports, before the guard looks."""
    for form, data in made.items():
        path = folder / subject.name(form)
        path.write_bytes(data)
        with suppress(refusals()):
            subject.use(path)
        path.unlink()
        (folder / OUT).unlink(missing_ok=True)
    # What is imported or made at the first refusal of a kind alone.
    for seed in range(AHEAD, AHEAD + WARMING):
        form, data = mutated(made, seed, subject.by_format)
        path = folder / subject.name(form)
        path.write_bytes(data)
        with suppress(Exception):
            subject.use(path)
        path.unlink()
    (folder / OUT).unlink(missing_ok=True)


def campaign(subject: str, count: int, first: int = 0) -> Tally:
    """Try files.

    Args:
        subject: which; see `SUBJECTS`.
        count: how many.
        first: seed of the first one.
    """
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        made = SUBJECTS[subject].seeds(Path(folder))
    last = first + count
    work = [(subject, made, range(at, min(at + CHUNK, last))) for at in range(first, last, CHUNK)]
    # Fresh processes without the frameworks that made the seeds.
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        for result, (_, _, numbers) in [(pool.apply_async(share, (w,)), w) for w in work]:
            try:
                found = result.get(PATIENCE)
            except multiprocessing.TimeoutError:
                lost = Outcome("process lost", f"seeds {numbers.start} to {numbers.stop - 1}")
                found = [(numbers.start, "unknown", lost)]
            for seed, name, outcome in found:
                tally.counts[name, outcome.kind] += 1
                if not outcome.fine:
                    tally.failures.append((seed, name, outcome))
    return tally


if __name__ == "__main__":
    tried = campaign(sys.argv[1], *map(int, sys.argv[2:]))
    sys.stdout.writelines(f"{line}\n" for line in tried.lines())
    sys.exit(bool(tried.failures))
