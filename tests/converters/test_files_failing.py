"""The system fails at any one step of writing: old or new is there whole, and nothing else."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from converters import InputError, convert_file
from converters.files import write_text

Files = dict[str, bytes]


class Failing:
    """A call that fails at one of its times.

    Args:
        call: What it is.
        at: Which time, from 0 on.
    """

    def __init__(self, call: Callable[..., Any], at: int) -> None:
        self.call, self.at, self.times = call, at, 0

    def __get__(self, path: Path | None, _: type) -> Callable[..., Any]:
        """Be a method."""
        return lambda *arguments, **options: self(path, *arguments, **options)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Fail, or call."""
        self.times += 1
        if self.times == self.at + 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self.call(*arguments, **options)


def files(folder: Path) -> Files:
    """Return all that lies in a folder, hidden files too."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"a folder"
        for path in folder.rglob("*")
    }


def outcome(work: Callable[[], object]) -> bool:
    """Return whether a work succeeded; where it did not, one line says so."""
    told = ""
    try:
        work()
    except InputError as error:
        told = str(error)
    assert not told or ("Input/output error" in told and len(told.splitlines()) == 1)
    return not told


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("step", ["touch", "write_text", "replace"])
def test_a_text_is_the_old_one_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, there: bool
) -> None:
    path = tmp_path / "a.txt"
    if there:
        path.write_text("old")
    before = files(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, step, Failing(getattr(Path, step), 0))
        assert not outcome(lambda: write_text(path, "new"))
    assert files(tmp_path) == before
    assert outcome(lambda: write_text(path, "new"))
    assert files(tmp_path) == {"a.txt": b"new"}


def test_a_text_that_was_written_in_part_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(path: Path, text: str, **_: object) -> None:
        path.write_bytes(text[:2].encode())
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a.txt").write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", half)
        with pytest.raises(InputError, match="No space left on device"):
            write_text(tmp_path / "a.txt", "new")
    assert files(tmp_path) == {"a.txt": b"old"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return two checkpoints of other values."""
    folder = tmp_path_factory.mktemp("sources")
    for name, value in (("old", 1.0), ("new", 2.0)):
        held = {f"{n}.weight": torch.full((8, 4, 3, 3), value + n) for n in range(3)}
        torch.save(held, folder / f"{name}.pth")
    return folder / "old.pth", folder / "new.pth"


@pytest.mark.parametrize("shards", [None, 1200], ids=["one file", "shards"])
@pytest.mark.parametrize(
    ("holder", "step"),
    [(Path, "replace"), (Path, "mkdir"), (os, "fsync"), (os, "fdatasync"), (Path, "open")],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_target_is_the_old_one_or_the_new_one_at_every_step(
    sources: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    holder: Any,
    step: str,
    shards: int | None,
) -> None:
    target = tmp_path / "target" / "a.safetensors"
    target.parent.mkdir()

    def convert(source: Path) -> None:
        convert_file(source, target, to="paddle", arch="generic", force=True, max_shard_size=shards)

    convert(sources[1])
    new = files(target.parent)
    convert(sources[0])
    old, failed = files(target.parent), 0
    assert old != new
    for at in range(40):
        with monkeypatch.context() as patch:
            failing = Failing(getattr(holder, step), at)
            patch.setattr(holder, step, failing)
            succeeded = outcome(lambda: convert(sources[1]))
        assert files(target.parent) == (new if succeeded else old)
        if failing.times <= at:
            break
        failed += not succeeded
        convert(sources[0])
    assert failed or step == "fdatasync"  # which is called where writing takes its time
