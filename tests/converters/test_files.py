"""What lies in a target's folder: links, odd names, what a killed process left, and two at once."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from samples import bits

from converters import InputError, convert_file, read_checkpoint
from converters.cli import main
from converters.files import check_target, locked, put_in_place, scratch_folder, temporary_beside


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def state(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {f"{n}.weight": torch.randn(8, 4, 3, 3) for n in range(4)}


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> list[Path]:
    """Return two files of the same keys and other values."""
    folder = tmp_path_factory.mktemp("sources")
    for seed in (0, 1):
        torch.save(state(seed), folder / f"{seed}.pth")
    return [folder / "0.pth", folder / "1.pth"]


# Links and other things that are in the way.


@pytest.mark.parametrize("leads", ["nowhere", "to a file", "to another folder"])
def test_a_link_is_in_the_way_and_replaced_itself(sources, tmp_path, leads):
    """What the link names is neither written nor made."""
    (tmp_path / "elsewhere").mkdir()
    behind = tmp_path / ("elsewhere/a.pdparams" if leads == "to another folder" else "b.pdparams")
    if leads != "nowhere":
        behind.write_text("mine")
    target = tmp_path / "a.pdparams"
    target.symlink_to(behind)
    before = left(tmp_path)
    with pytest.raises(InputError, match=r"a\.pdparams: .*; --force replaces it"):
        convert_file(sources[0], target)
    assert left(tmp_path) == before
    convert_file(sources[0], target, force=True)
    assert target.is_file()
    assert not target.is_symlink()
    assert behind.exists() == (leads != "nowhere")
    assert not behind.exists() or behind.read_text() == "mine"


def test_what_is_no_regular_file_is_never_replaced(sources, tmp_path):
    os.mkfifo(tmp_path / "a.pdparams")
    with pytest.raises(InputError, match="is no regular file"):
        convert_file(sources[0], tmp_path / "a.pdparams", force=True)


def test_the_source_behind_a_link_is_not_replaced(sources, tmp_path):
    (tmp_path / "a.pdparams").symlink_to(sources[0])
    with pytest.raises(InputError, match="the same file"):
        check_target(tmp_path / "a.pdparams", (sources[0],), force=True)


def test_a_file_that_came_while_another_was_made_stays(tmp_path):
    """Refused at the last moment, too."""
    target = tmp_path / "a.pdparams"
    with temporary_beside(target, folder=True) as stage:
        (stage / "new").mkdir()
        (stage / "new" / target.name).write_text("ours")
        target.write_text("another's")
        with pytest.raises(InputError, match="exists already"):
            put_in_place(stage, [target.name], [target], force=False)
    assert target.read_text() == "another's"
    assert left(tmp_path) == ["a.pdparams"]


@pytest.mark.parametrize("path", [".", "..", "a/..", "/"])
def test_what_has_no_name_is_not_replaced(path):
    with pytest.raises(InputError, match="has no name here"), temporary_beside(Path(path)):
        pass


# Names and consoles.


@pytest.mark.parametrize("name", [b"\xff.pth", b"a\nb.pth", b"x" * 250 + b".pth", b"-\xe4[1].pth"])
def test_any_name_of_a_file_will_do(sources, tmp_path, name):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_bytes(sources[0].read_bytes())
    target, report = path.with_suffix(".safetensors"), tmp_path / "r.json"
    if len(target.name) > 255:
        target = path.with_name("y" * 243 + ".safetensors")
    result = CliRunner().invoke(
        main, ["--to", "paddle", "-o", str(target), "--json", str(report), "--", str(path)]
    )
    assert (result.exit_code, result.exception) == (0, None), result.output
    assert json.loads(report.read_text())["source"]["path"].endswith(path.name[-5:])
    assert len(read_checkpoint(target)) == 4


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("words", [["convert"], ["inspect"], ["diff"], ["convert", "--dtype", "x"]])
def test_a_console_that_cannot_show_a_name_is_no_reason_to_stop(tmp_path, encoding, words):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.pth"))
    torch.save({"gr\u00f6\u00dfe.\u6743.weight": torch.ones(2, 3, 1, 1)}, tmp_path / "a.pth")
    (tmp_path / "a.pth").rename(path)
    arguments = [*words, str(path), *([str(path)] if words == ["diff"] else [])]
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "converters.cli", *arguments],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in ended.stderr, ended.stderr
    assert ended.returncode == (2 if "x" in words else 0)


# What a process leaves that could not clean up.

KILLED = """
import os, signal, sys
from converters import cli, execution
execution.compare = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
cli.main(prog_name="stdc-convert")
"""


@pytest.mark.parametrize("options", [[], ["--max-shard-size", "2kB"]])
def test_what_a_killed_process_left_is_removed_by_the_next_on_that_target(
    sources, tmp_path, options
):
    target = tmp_path / "a.pdparams"
    arguments = [str(sources[0]), "-o", str(target), *options]
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)  # noqa: S603
    assert ended.returncode == -signal.SIGKILL
    (abandoned,) = left(tmp_path)
    assert re.fullmatch(r"\.a\.pdparams\.[0-9a-f]{8}\.part", abandoned)
    convert_file(sources[0], tmp_path / "another.pdparams")
    assert abandoned in left(tmp_path)
    convert_file(sources[0], target)
    assert left(tmp_path) == ["a.pdparams", "another.pdparams"]


@pytest.mark.parametrize("folder", [False, True])
def test_what_is_being_written_is_not_removed(sources, tmp_path, folder):
    target = tmp_path / "a.pdparams"
    with temporary_beside(target, folder=folder) as theirs:
        convert_file(sources[0], target)
        assert theirs.exists()
        with temporary_beside(target, folder=folder) as ours:
            assert theirs.exists()
            assert ours != theirs
    assert left(tmp_path) == ["a.pdparams"]


@pytest.mark.parametrize("ours", [True, False])
def test_scratch_of_a_killed_process_is_removed_by_the_next(tmp_path, monkeypatch, ours):
    """But for what belongs to another user, which is no reason to stop."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    abandoned = tmp_path / ".scratch.01234567.part"
    abandoned.touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    if not ours:
        monkeypatch.setattr(Path, "unlink", refuse)
    with scratch_folder("scratch") as folder:
        assert abandoned.exists() is not ours
        assert folder.stat().st_mode & 0o077 == 0
    assert left(tmp_path) == ([] if ours else [abandoned.name])


def test_what_merely_looks_like_a_temporary_stays(sources, tmp_path):
    names = [".a.pdparams.part", ".a.pdparams.0123456g.part", ".b.pdparams.01234567.part"]
    for name in names:
        (tmp_path / name).write_text("mine")
    convert_file(sources[0], tmp_path / "a.pdparams")
    assert left(tmp_path) == sorted([*names, "a.pdparams"])


# Two processes, one target.


def at_once(commands: list[list[str]]) -> list[int]:
    """Run commands at the same time and return their exit codes."""
    base = [sys.executable, "-m", "converters.cli", "-q"]
    running = [subprocess.Popen([*base, *each], stderr=subprocess.PIPE) for each in commands]  # noqa: S603
    for process in running:
        process.communicate()
    return [process.returncode for process in running]


def assert_one_of(found, folder: Path) -> None:
    """Check that a checkpoint is one of the sources' as a whole, and that nothing else is left."""
    held = {key: bits(tensor.load()) for key, tensor in found.items()}
    assert held in [{key: bits(value) for key, value in state(seed).items()} for seed in (0, 1)]
    assert left(folder) == sorted(path.name for path in found.files)


@pytest.mark.parametrize("shards", [[], ["--max-shard-size", "2kB"]])
def test_two_at_once_end_with_the_files_of_one(sources, tmp_path, shards):
    target = tmp_path / "m.safetensors"
    common = ["-o", str(target), "--to", "paddle", *shards]
    codes = at_once([[str(path), *common, "--force"] for path in sources * 2])
    assert codes == [0, 0, 0, 0]
    leading = tmp_path / "m.safetensors.index.json" if shards else target
    assert_one_of(read_checkpoint(leading), tmp_path)


def test_names_are_given_while_the_folder_is_locked(sources, tmp_path, monkeypatch):
    replace, free = Path.replace, []

    def watched(*arguments):
        with locked(tmp_path, wait=False) as ours:
            free.append(ours)
        replace(*arguments)

    monkeypatch.setattr(Path, "replace", watched)
    convert_file(sources[0], tmp_path / "m.pdparams", max_shard_size="2kB")
    assert free == [False] * 5
    with locked(tmp_path, wait=False) as ours:
        assert ours


def test_without_force_only_one_of_two_succeeds(sources, tmp_path):
    target = tmp_path / "m.safetensors"
    codes = at_once([[str(path), "-o", str(target), "--to", "paddle"] for path in sources])
    assert sorted(codes) == [0, 2]
    assert_one_of(read_checkpoint(target), tmp_path)
