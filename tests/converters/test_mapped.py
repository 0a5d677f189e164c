"""Sources that somebody changes while they are read: cut off, written into, grown, replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import save_file

from converters import InputError, convert_file, read_checkpoint
from converters.cli import main
from converters.mapped import LOOK

CHANGED = r": changed while it was read: "
# Larger than what is read between two looks.
TENSORS = {f"{n}.weight": np.full((128, 64, 3, 3), n, np.float32) for n in range(5)}


def as_torch(path: Path) -> None:
    torch.save({key: torch.tensor(array) for key, array in TENSORS.items()}, path)


def as_legacy(path: Path) -> None:
    held = {key: torch.tensor(array) for key, array in TENSORS.items()}
    torch.save(held, path, _use_new_zipfile_serialization=False)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.pth": as_torch,
    "legacy.pth": as_legacy,
    "a.safetensors": lambda path: save_file(TENSORS, path, {"format": "pt"}),
    "a.pdparams": lambda path: paddle.save(dict(TENSORS), str(path)),
}


@pytest.fixture
def source(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a checkpoint that nobody touched for long."""
    name = getattr(request, "param", "a.pth")
    path = tmp_path / "source" / name
    path.parent.mkdir()
    WRITERS[name](path)
    os.utime(path, ns=(10**18, 10**18))
    return path


def cut_off(path: Path) -> None:
    """Cut within a page, beyond which are zeros: nothing but a look tells."""
    os.truncate(path, path.stat().st_size - 10)


def written_into(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-LOOK, os.SEEK_END)
        file.write(b"other")


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def once(change: Callable[[Path], None], path: Path, step: int) -> Callable[[str], None]:
    """Return a progress that changes a file at one step."""
    steps = iter(range(100))
    return lambda _: change(path) if next(steps) == step else None


@pytest.mark.parametrize("source", WRITERS, indirect=True)
@pytest.mark.parametrize("change", [cut_off, written_into, grown])
@pytest.mark.parametrize("step", [1, 8])  # of five that are written and five that are compared
def test_a_source_that_changes_makes_no_target(
    source: Path, tmp_path: Path, change: Callable[[Path], None], step: int
) -> None:
    to = "torch" if source.suffix == ".pdparams" else "paddle"
    target = tmp_path / "target.safetensors"
    target.write_text("old")
    size, change_once = source.stat().st_size, once(change, source, step)
    with pytest.raises(InputError, match=CHANGED) as caught:
        convert_file(source, target, to=to, arch="generic", force=True, progress=change_once)
    now = source.stat().st_size
    told = f"{size} bytes when it was opened, {now} now" if now != size else "were written to"
    assert str(source) in str(caught.value)
    assert told in str(caught.value)
    assert "or a copy of it" in str(caught.value)
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", target.name]


def test_a_shard_that_changes_makes_no_target(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    index = folder / "model.safetensors"
    convert_file(source, index, to="paddle", arch="generic", max_shard_size="700kB")
    last = max(folder.glob("*-of-*"))
    with pytest.raises(InputError, match=f"{last.name}{CHANGED}"):
        convert_file(
            folder / "model.safetensors.index.json",
            tmp_path / "b.pth",
            to="torch",
            arch="generic",
            progress=once(cut_off, last, 1),
        )
    assert not (tmp_path / "b.pth").exists()


def test_a_source_that_is_replaced_stays_what_was_opened(source: Path, tmp_path: Path) -> None:
    """As a running training does: a new file gets the name."""
    whole = source.read_bytes()
    newer = tmp_path / "newer"
    torch.save({"other": torch.zeros(1)}, newer)
    target = tmp_path / "b.pdparams"
    report = convert_file(
        source,
        target,
        arch="generic",
        progress=once(newer.replace, source, 3),  # type: ignore[arg-type]
    )
    assert list(read_checkpoint(source)) == ["other"]
    assert (report.source.sha256, report.source.bytes) == (sha256(whole).hexdigest(), len(whole))
    assert {key: one.load().tolist() for key, one in read_checkpoint(target).items()} == {
        key: array.tolist() for key, array in TENSORS.items()
    }


@pytest.mark.parametrize("source", WRITERS, indirect=True)
def test_a_tensor_of_a_file_that_was_cut_off_is_not_given(source: Path) -> None:
    checkpoint = read_checkpoint(source)
    cut_off(source)
    with pytest.raises(InputError, match=CHANGED):
        checkpoint["4.weight"].load()


@pytest.mark.parametrize("change", [cut_off, written_into])
@pytest.mark.parametrize("words", [["inspect"], ["diff"]])
def test_what_is_shown_of_a_file_that_changed_is_refused(
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    words: list[str],
) -> None:
    from converters import diff, inspect

    def facts(checkpoint: object) -> list[object]:
        change(source)
        return []

    def within(*_: object) -> list[object]:
        change(source)
        return []

    monkeypatch.setattr(inspect, "tensor_facts", facts)
    monkeypatch.setattr(diff._Pairing, "within", within)
    found = CliRunner().invoke(main, [*words, *[str(source)] * (2 if words == ["diff"] else 1)])
    assert found.exit_code == 2
    assert "changed while it was read" in found.output
    assert len(found.output.splitlines()) == 1


def test_a_table_of_tensors_that_changes_is_said_to_change(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to be damaged, which whoever downloads it again would find untrue."""
    from converters.formats import torch_zip

    def damaged(path: Path, _: memoryview) -> None:
        written_into(path)
        raise InputError("its table of tensors is damaged")

    monkeypatch.setattr(torch_zip, "read", damaged)
    with pytest.raises(InputError, match=CHANGED):
        read_checkpoint(source)


AMID = """
import os, sys
from converters import cli, special_values
from converters.mapped import OPEN
look = special_values.special_values
def cut(*arguments):
    for file in OPEN:
        os.truncate(file.path, int(sys.argv.pop()))
    return look(*arguments)
special_values.special_values = cut
cli.main(sys.argv[1:-1], prog_name="stdc-convert")
"""


def amid(source: Path, target: Path, size: int) -> subprocess.CompletedProcess[str]:
    """Convert a file that is cut off between a look at its size and the reading."""
    words = [sys.executable, "-c", AMID, str(source), "-o", str(target), "--force", str(size)]
    return subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603


def test_a_source_cut_off_amid_a_tensor_is_refused_in_one_line(
    source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a.pdparams"
    target.write_text("old")
    before = source.stat().st_size
    ended = amid(source, target, 5000)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: {source}: changed while it was read: {before} bytes")
    assert len(ended.stderr.splitlines()) == 1
    assert target.read_text() == "old"
