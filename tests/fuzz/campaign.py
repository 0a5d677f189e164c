"""Many broken files, each under guard, in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from guard import Guard, Outcome, limit
from mutations import CANARY, ESCAPED, mutated
from seeds import SHARD, Seeds, seeds

CHUNK = 500
# A process that a file brings down does not answer; its share is then a failure.
PATIENCE = 600
CANARIES = (Path(CANARY.split()[-1]), Path(ESCAPED))
NAMES = {"index": "model.safetensors.index.json"}


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
        for seed, name, outcome in self.failures[:40]:
            yield f"\nseed {seed}, {name}: {outcome.kind}\n{outcome.detail}"


def use(path: Path) -> None:
    """Do what the command does: read everything, convert it, and describe it."""
    from converters.convert import convert_file
    from converters.formats import read_checkpoint
    from converters.inspect import inspect_checkpoint

    for tensor in read_checkpoint(path).values():
        tensor.load()
    inspect_checkpoint(path)
    convert_file(path, path.with_name("out.safetensors"), force=True, strict=False)


def share(work: tuple[Seeds, range]) -> list[tuple[int, str, Outcome]]:
    """Try some files in this process."""
    from converters import ConverterError

    made, numbers = work
    found = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / SHARD).write_bytes(made["safetensors"])
        warm_up(Path(folder), made)
        limit()
        guard = Guard(Path(folder))
        for seed in numbers:
            name, data = mutated(made, seed)
            path = Path(folder) / NAMES.get(name, f"broken.{name}")
            path.write_bytes(data)
            outcome = guard(use, path, ConverterError)
            left = {entry.name for entry in Path(folder).iterdir()}
            if odd := left - {SHARD, path.name, "out.safetensors"}:
                outcome = Outcome("left behind", ", ".join(sorted(odd)))
            if any(canary.exists() for canary in CANARIES):
                outcome = Outcome("forbidden", "code was run")
            found.append((seed, name, outcome))
            for entry in left - {SHARD}:
                (Path(folder) / entry).unlink()
    return found


def warm_up(folder: Path, made: Seeds) -> None:
    """Import all that reading imports, before the guard looks."""
    for name, data in made.items():
        path = folder / NAMES.get(name, f"whole.{name}")
        path.write_bytes(data)
        use(path)
        path.unlink()
        (folder / "out.safetensors").unlink()


def campaign(count: int, first: int = 0) -> Tally:
    """Try files.

    Args:
        count: how many.
        first: seed of the first one.
    """
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        made = seeds(Path(folder))
    last = first + count
    work = [(made, range(at, min(at + CHUNK, last))) for at in range(first, last, CHUNK)]
    # Fresh processes without the frameworks that made the seeds.
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        for result, (_, numbers) in [(pool.apply_async(share, (w,)), w) for w in work]:
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
    tried = campaign(*map(int, sys.argv[1:]))
    sys.stdout.writelines(f"{line}\n" for line in tried.lines())
    sys.exit(bool(tried.failures))
