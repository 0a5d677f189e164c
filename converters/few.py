"""Many lines told in few: of a foreign file each of its 200 000 tensors may be a problem."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Up to so many lines are told one by one.
MOST = 30
# Of more than that so many of each kind, and so many kinds.
EACH, KINDS = 3, 8
# What differs between lines that are alike: keys, shapes, numbers.
_PARTICULAR = re.compile(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\d+")


def in_few(lines: Sequence[str]) -> list[str]:
    """Return lines as they are if they are few; else some of each kind, and how many more.

    Two lines are of one kind if they differ in keys, shapes and numbers alone.
    """
    if len(lines) <= MOST:
        return list(lines)
    kinds: dict[str, list[str]] = {}
    for line in lines:
        kinds.setdefault(_PARTICULAR.sub("…", line), []).append(line)
    told: list[str] = []
    for alike in list(kinds.values())[:KINDS]:
        told += alike[:EACH]
        told += [f"… and {len(alike) - EACH} more like that"] if len(alike) > EACH else []
    others = [len(alike) for alike in list(kinds.values())[KINDS:]]
    if others:
        told.append(f"… and {sum(others)} more of {len(others)} other kinds")
    return told
