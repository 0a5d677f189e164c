"""Names change as a whole: whatever fails or dies, one whole set of files lies there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from converters import files, moves
from converters.files import put_folder_in_place, put_in_place, remove_abandoned, temporary_beside

# Four of three names to come, the last of which leads; some have the names of old ones.
OLD = ("a.index", "a-1-of-2", "a-2-of-2", "common")
COMING = ("a-1-of-1", "common", "a.index")
KILLED = 9


def lie(folder: Path) -> dict[str, str]:
    """What lies in a folder, hidden files too."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in found}


def replace_set(folder: Path) -> None:
    """Let a set of files take the place of another one."""
    with temporary_beside(folder / "a.index", folder=True) as stage:
        (stage / "new").mkdir()
        for name in COMING:
            (stage / "new" / name).write_text(f"new {name}")
        put_in_place(stage, COMING, [folder / name for name in OLD], force=True)


def replace_folder(folder: Path) -> None:
    """Let a folder take the place of another one."""
    with temporary_beside(folder / "made", folder=True) as stage:
        (stage / "new" / "made").mkdir(parents=True)
        (stage / "new" / "made" / "b").write_text("new b")
        put_folder_in_place(stage, folder / "made")


def old_set(folder: Path) -> dict[str, str]:
    for name in OLD:
        (folder / name).write_text(f"old {name}")
    return lie(folder)


def old_folder(folder: Path) -> dict[str, str]:
    (folder / "made").mkdir()
    (folder / "made" / "a").write_text("old a")
    return lie(folder)


def by_two_moves(folder: Path) -> None:
    """As where the system cannot exchange names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "exchanged", lambda *_: False)
        replace_folder(folder)


Work = tuple[Callable[[Path], dict[str, str]], Callable[[Path], None], dict[str, str], str]
WORKS: dict[str, Work] = {
    "set": (old_set, replace_set, {name: f"new {name}" for name in COMING}, "a.index"),
    "folder": (old_folder, replace_folder, {"made/b": "new b"}, "made"),
    "folder by two moves": (old_folder, by_two_moves, {"made/b": "new b"}, "made"),
}


@contextmanager
def before_move(number: int, act: Callable[[], None]) -> Iterator[list[str]]:
    """Let something happen before a move, counted from 0; yield what was moved."""
    moved: list[str] = []
    replace = Path.replace

    def counted(self: Path, to: Path) -> Path:
        if len(moved) == number:
            moved.append("hit")
            act()
        moved.append(self.name)
        return replace(self, to)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", counted)
        yield moved


def fail() -> None:
    raise OSError(28, "No space left on device")


def die() -> None:
    os._exit(KILLED)


def die_in(act: Callable[[Path], None], folder: Path, number: int) -> None:
    """Let a process do something, and die before a move or, where there is none, at the end."""
    child = os.fork()
    if not child:
        with before_move(number, die):
            act(folder)
        die()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


def count_moves(work: Work, folder: Path) -> int:
    old, replace, new, _ = work
    old(folder)
    with before_move(-1, fail) as moved:
        replace(folder)
    assert lie(folder) == new
    return len(moved)


@pytest.mark.parametrize("name", WORKS)
def test_a_move_that_fails_brings_all_back(name: str, tmp_path: Path) -> None:
    (tmp_path / "counted").mkdir()
    count = count_moves(WORKS[name], tmp_path / "counted")
    assert count == {"set": 7, "folder": 0, "folder by two moves": 2}[name]
    for number in range(count):
        folder = tmp_path / str(number)
        folder.mkdir()
        old, replace, _, _ = WORKS[name]
        before = old(folder)
        with before_move(number, fail), pytest.raises(Exception, match="No space left"):
            replace(folder)
        assert lie(folder) == before


@pytest.mark.parametrize("name", WORKS)
def test_what_died_amid_its_moves_is_brought_back_by_the_next_run(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "counted").mkdir()
    old, replace, new, target = WORKS[name]
    count = count_moves(WORKS[name], tmp_path / "counted")
    for number in range(count + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        before = old(folder)
        die_in(replace, folder, number)
        remove_abandoned(folder / target)
        assert lie(folder) == (new if number == count else before), number


def test_who_dies_as_it_brings_back_is_followed_by_the_next(tmp_path: Path) -> None:
    """Of six moves back, two of new files and four of old ones, any may be the last."""
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        before = old_set(folder)
        die_in(replace_set, folder, 6)
        die_in(lambda folder: remove_abandoned(folder / "a.index"), folder, number)
        assert lie(folder) != before
        remove_abandoned(folder / "a.index")
        assert lie(folder) == before


def test_what_others_have_put_there_since_stays(tmp_path: Path) -> None:
    old_set(tmp_path)
    die_in(replace_set, tmp_path, 6)
    for name in ("a-1-of-1", "a-2-of-2"):
        (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / name).write_text("another's")
    remove_abandoned(tmp_path / "a.index")
    found = lie(tmp_path)
    assert (found.pop("a-1-of-1"), found.pop("a-2-of-2")) == ("another's", "another's")
    assert found == {name: f"old {name}" for name in ("a.index", "a-1-of-2", "common")}


@pytest.mark.parametrize(
    "note",
    [
        {"new": {"gone": [0, 0], "x": [0, 0]}, "old": ["../outside"]},
        {"new": {"../mine": [0, 0]}, "old": []},
        {"new": {"mine": [0, 0], "x": [0, 0]}, "old": ["mine"]},
        {"new": 7, "old": [7]},
        {"new": {"x": [0, 0], "mine": {}}, "old": [["mine"]]},
        [],
    ],
)
def test_a_note_by_a_stranger_moves_nothing_of_mine(note: object, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    stage = folder / ".a.01234567.part"
    for name in ("new", "old"):
        (stage / name).mkdir(parents=True)
    for path in (stage / "new" / "x", stage / "old" / "mine"):
        path.write_text("a stranger's")
    (folder / "mine").write_text("mine")
    (stage / moves.NOTE).write_text(json.dumps(note))
    remove_abandoned(folder / "a")
    assert lie(tmp_path) == {"folder/mine": "mine"}


def test_names_are_exchanged_in_one_step(tmp_path: Path) -> None:
    """Where this fails, the system cannot; it is not said to then."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "is").write_text(name)
    assert moves.exchanged(tmp_path / "one", tmp_path / "other")
    assert lie(tmp_path) == {"one/is": "other", "other/is": "one"}
    assert not moves.exchanged(tmp_path / "one", tmp_path / "none")
