"""Finished files and folders get their names: all of them, or none.

What is about to be moved is noted first. If anything fails it is moved back; where the process was
killed amid it, by the next run on the same target.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Sequence
from pathlib import Path

#: In a temporary folder beside the target: what is finished, what had its place, and the note.
NEW, OLD, NOTE = "new", "old", "moves.json"
# renameat2(2), since Linux 3.15.
_HERE, _EXCHANGE = -100, 2


def move_all(stage: Path, names: Sequence[str], replaced: Sequence[Path]) -> None:
    """Move finished files or folders beside their temporary folder, and old ones away before.

    Args:
        stage: the temporary folder; what is finished lies in its folder ``new``.
        names: of that, in the order of moving.
        replaced: what goes before, in this order; it is kept in ``stage`` until all is done.

    Raises:
        OSError: something could not be moved; all is as it was.
    """
    new = {name: _identity(stage / NEW / name) for name in names}
    note = {"new": new, "old": [path.name for path in replaced]}
    (stage / NOTE).write_text(json.dumps(note), encoding="utf-8")
    (stage / OLD).mkdir()
    try:
        for path in replaced:
            path.replace(stage / OLD / path.name)
        for name in names:
            (stage / NEW / name).replace(stage.parent / name)
    except BaseException:
        take_back(stage)
        raise


def take_back(stage: Path) -> None:
    """Undo moves that did not come to their end; what others have put there since stays.

    Nothing else is touched, whatever the note says: it may be a stranger's.
    """
    new, old = _noted(stage)
    if not any(os.path.lexists(stage / NEW / name) for name in new):
        return  # all was moved, or nothing noted
    for name, identity in new.items():
        here, there = stage.parent / name, stage / NEW / name
        if not os.path.lexists(there) and os.path.lexists(here) and _identity(here) == identity:
            here.replace(there)
    for name in old:
        here, there = stage.parent / name, stage / OLD / name
        if os.path.lexists(there) and not os.path.lexists(here):
            there.replace(here)


def exchanged(one: Path, other: Path) -> bool:
    """Let two files or folders exchange their names in one step; False if the system cannot."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError, TypeError):  # not Linux, or an old one
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def _identity(path: Path) -> list[int]:
    """What a file keeps under another name."""
    facts = path.lstat()
    return [facts.st_ino, facts.st_mtime_ns]


def _noted(stage: Path) -> tuple[dict[str, list[int]], list[str]]:
    try:
        note = json.loads((stage / NOTE).read_text(encoding="utf-8"))
        new, old = dict(note["new"]), list(note["old"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}, []
    plain = all(isinstance(name, str) and Path(name).name == name for name in (*new, *old))
    return (new, old) if plain else ({}, [])
