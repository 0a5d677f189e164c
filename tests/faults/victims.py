"""Commands that are killed, and how one tells what they left."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from converters import InputError, read_checkpoint
from stdc_port.training.runlog import read_log
from stdc_port.training.scenes import SceneSet, write_scenes

# Such that a report may take its place, JSON's or a page's.
OLD = '{"old": "file"}\n'
OLD_PAGE = "<!doctype html>\n<title>old</title>\n"
SAVE = """
import sys, torch
torch.manual_seed(1)
torch.save({f"{n}.weight": torch.randn(64, 64, 3, 3) for n in range(60)}, sys.argv[1])
"""
# Where a victim keeps what it wants no name for, inside of its own folder.
SCRATCH = "scratch"
BROKEN = "broken"


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: of its exit; a signal's negative number where that ended it.
        errors: what it said on stderr.
    """

    code: int
    errors: str


@dataclass(frozen=True)
class Seen:
    """What lies in a victim's folder.

    Attributes:
        state: in a word or two, for the table.
        done: whether the work is done.
        faults: what should not be.
    """

    state: str
    done: bool
    faults: tuple[str, ...] = ()


class Victim(ABC):
    """A command that is killed.

    Attributes:
        name: of it.
        words: the command, as after `python -m`; it runs in a folder that holds its input.
        modules: what a process loads from which victims are forked; none: each starts by itself.
        goes_on: whether a run goes on from what the one before it left.
    """

    name: ClassVar[str]
    words: ClassVar[tuple[str, ...]]
    modules: ClassVar[tuple[str, ...]] = ()
    goes_on: ClassVar[bool] = False

    @abstractmethod
    def prepare(self, folder: Path) -> None:
        """Lay the input into an empty folder."""

    @abstractmethod
    def begin(self, folder: Path) -> None:
        """Make a folder ready for a run that will be killed."""

    @abstractmethod
    def look(self, folder: Path) -> Seen:
        """Look at what a run left."""

    @abstractmethod
    def left(self, folder: Path) -> list[str]:
        """Name what lies in a folder and has no place there, temporaries above all."""


class WritesFiles(Victim):
    """A victim that replaces files.

    Attributes:
        files: what it writes, and how a whole new one is told.
    """

    files: ClassVar[Mapping[str, Callable[[Path], bool]]]

    def begin(self, folder: Path) -> None:
        """Put old files where the new ones will be."""
        for name in self.files:
            (folder / name).write_text(old(name), encoding="utf-8")

    def look(self, folder: Path) -> Seen:
        """Tell of each file whether it is the old or the new one; it must be one of them, whole."""
        states = {name: state(folder / name, whole) for name, whole in self.files.items()}
        broken = tuple(f"{name} is broken" for name, found in states.items() if found == "broken")
        return Seen(" ".join(states.values()), set(states.values()) == {"new"}, broken)

    def left(self, folder: Path) -> list[str]:
        """Name all but input and output."""
        known = {"a.pth", SCRATCH, *self.files}
        beside = [path.name for path in folder.iterdir() if path.name not in known]
        return sorted([*beside, *(path.name for path in (folder / SCRATCH).iterdir())])


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


class Convert(WritesFiles):
    """A conversion that replaces a file and a report."""

    name = "convert"
    words = ("converters.cli", "-q", "a.pth", "--force", "-o", "a.pdparams", "--json", "r.json")
    modules = ("converters.convert", "converters.commands.convert")
    files: ClassVar = {"a.pdparams": is_checkpoint, "r.json": is_report}

    def prepare(self, folder: Path) -> None:
        """Save 60 tensors with torch."""
        words = [sys.executable, "-c", SAVE, str(folder / "a.pth")]
        subprocess.run(words, check=True)  # noqa: S603


class Parity(WritesFiles):
    """A check that replaces two reports, with torch's run kept on the disk."""

    name = "parity"
    words = (
        *("parity", "-q", "--torch", "parity_toys:torch_model"),
        *("--paddle", "parity_toys:paddle_model", "--input", "1x3x16x16", "--store", "disk"),
        *("--json", "r.json", "--html", "r.html"),
    )
    modules = ("torch", "paddle", "parity.check", "parity.job", "parity.report", "rich.console")
    files: ClassVar = {"r.json": is_report, "r.html": is_page}

    def prepare(self, folder: Path) -> None:
        """Leave the folder as it is: the networks have seeded weights."""


class Training(Victim):
    """A training that goes on from what its forerunner left.

    Attributes:
        whole: digests of what a run that was never interrupted ends with, by file.
    """

    name = "training"
    iterations = 5
    words = (
        *("stdc_port.cli", "finetune", "-q", "--data", "scenes", "--scratch", "-o", "run"),
        *("--resume", "auto", "--set", "data.crop=[32, 32]", "--set", "data.decoded=decoded"),
        *("--set", f"train.iterations={iterations}", "--set", "train.batch_size=2"),
        # Asked to stop after an odd iteration, it saves where it would not by itself.
        *("--set", "train.checkpoint_every=2", "--set", "train.evaluate_every=3"),
        *("--set", "train.average=0.9", "--set", "rate.warmup_iterations=1"),
    )
    goes_on = True
    modules = ("stdc_port.training.jobs", "stdc_port.training.trainer", "matplotlib.figure")

    def __init__(self) -> None:
        self.whole: dict[str, str] = {}

    def prepare(self, folder: Path) -> None:
        """Draw a tiny set."""
        write_scenes(folder / "scenes", SceneSet(width=64, height=64, train=6, val=1))

    def begin(self, folder: Path) -> None:
        """Take away a run that has come to its end."""
        if (folder / "run" / "model.pdparams").exists():
            shutil.rmtree(folder / "run")
            shutil.rmtree(folder / "decoded")

    def look(self, folder: Path) -> Seen:
        """Read whatever has a name: all of it is whole, the final weights are the right ones."""
        run = folder / "run"
        files = (*run.glob("*.pdparams"), *run.glob("checkpoints/*.safetensors"))
        found = {path.name: digest(path) for path in files}
        faults = [f"{name} is broken" for name, one in found.items() if one == BROKEN]
        faults.extend(
            f"{path} is broken" for path in run.glob("*.json") if state(path, is_report) != "new"
        )
        done = "model.pdparams" in found
        self.whole = self.whole or (found if done else {})
        if done:
            faults.extend(self._differences(found, run))
        return Seen(f"{len(found)} files" if found else "nothing", done, tuple(faults))

    def _differences(self, found: dict[str, str], run: Path) -> Iterator[str]:
        for name, wanted in self.whole.items():
            if found.get(name) != wanted:
                yield f"{name} is another one than that of a run never interrupted"
        steps = [line["iteration"] for line in read_log(run / "log.jsonl") if "loss" in line]
        if steps != list(range(self.iterations)):
            yield f"the log has iterations {steps}"

    def left(self, folder: Path) -> list[str]:
        """Name whatever hides."""
        hidden = [str(path.relative_to(folder)) for path in folder.rglob(".*")]
        return sorted([*hidden, *(path.name for path in (folder / SCRATCH).iterdir())])


def digest(path: Path) -> str:
    """Return a digest of names, shapes and bits of all tensors of a file, if it is whole."""
    found = hashlib.sha256()
    try:
        for key, tensor in sorted(read_checkpoint(path).items()):
            array = np.ascontiguousarray(tensor.load())
            found.update(f"{key} {array.dtype} {array.shape}".encode())
            found.update(array.data)
    except InputError:
        return BROKEN
    return found.hexdigest()


VICTIMS: Mapping[str, type[Victim]] = {one.name: one for one in (Convert, Parity, Training)}
