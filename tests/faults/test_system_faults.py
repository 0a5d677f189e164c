"""The system fails: a full disk, folders that may not be written, input that goes away."""

from __future__ import annotations

import ctypes
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from converters import InputError, convert_file, read_checkpoint

# Rights of root that pass over a file's permissions; and the call that takes them away.
DROP, OVERRIDE, READ = 24, 1, 2


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "a.pth"
    torch.manual_seed(0)
    torch.save({f"{n}.weight": torch.randn(32, 32, 3, 3) for n in range(8)}, path)
    return path


def as_anybody() -> None:
    """Obey permissions, as root too."""
    libc = ctypes.CDLL(None)
    for right in (OVERRIDE, READ):
        libc.prctl(DROP, right, 0, 0, 0)


def small_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def command(*words: object, before: Callable[[], None] | None = None) -> tuple[int, str]:
    """Return exit code and errors of a conversion."""
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "converters.cli", "-q", *map(str, words)],
        preexec_fn=before,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stderr


def assert_refused(found: tuple[int, str], path: Path, why: str) -> None:
    code, errors = found
    assert code == 2, errors
    assert errors.startswith(f"error: {path}: ")
    assert why in errors
    assert len(errors.splitlines()) == 1


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("options", [[], ["--max-shard-size", "200kB"]])
@pytest.mark.parametrize("suffix", [".pdparams", ".safetensors"])
def test_a_full_disk_leaves_the_old_file(
    saved: Path, tmp_path: Path, suffix: str, options: list[str]
) -> None:
    target = tmp_path / f"a{suffix}"
    target.write_text("old")
    words = (saved, "--to", "paddle", "-o", target, "--force", *options)
    assert_refused(command(*words, before=small_disk), target, "File too large")
    assert target.read_text() == "old"
    assert left(tmp_path) == [target.name]


def test_a_folder_that_may_not_be_written(saved: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.pdparams"
    target.write_text("old")
    tmp_path.chmod(0o555)
    try:
        found = command(saved, "-o", target, "--force", before=as_anybody)
    finally:
        tmp_path.chmod(0o755)
    assert_refused(found, target, "Permission denied")
    assert target.read_text() == "old"
    assert left(tmp_path) == [target.name]


def test_a_source_that_may_not_be_read(saved: Path, tmp_path: Path) -> None:
    source = tmp_path / "b.pth"
    shutil.copy(saved, source)
    source.chmod(0)
    found = command(source, "-o", tmp_path / "a.pdparams", before=as_anybody)
    assert_refused(found, source, "Permission denied")
    assert left(tmp_path) == ["b.pth"]


def test_a_source_that_is_gone(tmp_path: Path) -> None:
    found = command(tmp_path / "b.pth", "-o", tmp_path / "a.pdparams")
    assert_refused(found, tmp_path / "b.pth", "No such file")
    assert left(tmp_path) == []


def test_a_source_removed_while_it_is_converted(saved: Path, tmp_path: Path) -> None:
    """What is reported of it could not be checked by anybody: the old file stays."""
    source, target = tmp_path / "b.pth", tmp_path / "a.pdparams"
    shutil.copy(saved, source)
    target.write_text("old")
    gone = partial(source.unlink, missing_ok=True)
    with pytest.raises(InputError, match=r"b\.pth: cannot be read \(No such file"):
        convert_file(source, target, arch="generic", force=True, progress=lambda _: gone())
    assert target.read_text() == "old"
    assert left(tmp_path) == ["a.pdparams"]


CUT = """
import os, sys
from pathlib import Path
from converters import cli, execution
compare = execution.compare
def cut(*arguments):
    os.truncate(sys.argv[1], 5000)
    compare(*arguments)
execution.compare = cut
cli.main(prog_name="stdc-convert")
"""


def test_a_source_cut_off_while_it_is_converted(saved: Path, tmp_path: Path) -> None:
    """No signal ends who reads beyond a mapped file's end; the old file stays."""
    source, target = tmp_path / "b.pth", tmp_path / "a.pdparams"
    shutil.copy(saved, source)
    target.write_text("old")
    words = [sys.executable, "-c", CUT, str(source), "-q", "--force", "-o", str(target)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    assert_refused((ended.returncode, ended.stderr), source, "changed while it was read")
    assert target.read_text() == "old"
    assert command(saved, "-o", target, "--force") == (0, "")
    assert left(tmp_path) == ["a.pdparams", "b.pth"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on another file system, where there is one."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def test_a_target_on_another_file_system(saved: Path, elsewhere: Path) -> None:
    target = elsewhere / "a.pdparams"
    target.write_text("old")
    assert command(saved, "-o", target, "--force") == (0, "")
    assert len(read_checkpoint(target)) == 8
    assert left(elsewhere) == ["a.pdparams"]
