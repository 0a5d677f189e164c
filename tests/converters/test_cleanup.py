"""A signal may come at any step, of cleaning up too: nothing stays, and nothing is by halves."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from converters.files import put_in_place, scratch_folder, temporary_beside, write_text

# Where Python looks whether a signal came: as a function begins, and as one of C's has ended.
HEARD = ("call", "c_return")
OURS = ("converters/files.py", "converters/moves.py", "contextlib.py", "shutil.py")


class Interrupted(BaseException):
    """What a handler of a signal raises."""


def interrupt(act: Callable[[], None], number: int) -> bool:
    """Do something, and let a signal come at one of the places where Python would hear it.

    Returns:
        Whether there are so many of them.
    """
    heard = 0

    def listen(frame: FrameType, event: str, _: Any) -> None:
        nonlocal heard
        if event in HEARD and frame.f_code.co_filename.endswith(OURS):
            heard += 1
            if heard == number:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGTERM)

    def end(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGTERM, end)
    sys.setprofile(listen)
    try:
        act()
    except Interrupted:
        return True
    finally:
        sys.setprofile(None)
        signal.signal(signal.SIGTERM, before)
    assert heard < number, "the signal was lost"
    return False


def replace_alone(folder: Path) -> None:
    write_text(folder / "a", "new")


def replace_several(folder: Path) -> None:
    with temporary_beside(folder / "a", folder=True) as stage:
        (stage / "new").mkdir()
        for name in ("b", "a"):
            (stage / "new" / name).write_text("new")
        put_in_place(stage, ["b", "a"], [folder / "a"], force=True)


@pytest.mark.parametrize("replace", [replace_alone, replace_several])
def test_interrupted_anywhere_old_or_new_is_whole_and_nothing_stays(
    replace: Callable[[Path], None], tmp_path: Path
) -> None:
    number, states = 1, set()
    while True:
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "a").write_text("old")
        if not interrupt(lambda folder=folder: replace(folder), number):  # type: ignore[misc]
            break
        lie = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
        assert len(lie) == len(list(folder.iterdir())), number
        states.add(tuple(sorted(lie.items())))
        number += 1
    new = (("a", "new"),) if replace is replace_alone else (("a", "new"), ("b", "new"))
    assert states == {(("a", "old"),), new}
    assert number > 40


def test_interrupted_anywhere_no_scratch_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def work() -> None:
        with scratch_folder("scratch") as folder:
            (folder / "a").mkdir()
            (folder / "a" / "b").write_text("")

    number = 1
    while interrupt(work, number):
        assert list(tmp_path.iterdir()) == [], number
        number += 1
    assert number > 40
