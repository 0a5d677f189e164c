"""Two sequences of signs aligned, as far as there is only one way to do it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

Pairs = list[tuple[int, int]]


def aligned_in_order(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Pairs:
    """Pair places of equal signs so that no two pairs cross and as many as possible are paired.

    Only pairs that every such alignment has are given: where an element could have either of two
    partners, it has none.

    >>> aligned_in_order("abab", "abab")
    [(0, 0), (1, 1), (2, 2), (3, 3)]
    >>> aligned_in_order("aab", "ab")
    [(2, 1)]
    """
    before, after = _lengths(ours, theirs), _lengths(ours[::-1], theirs[::-1])
    total = before[len(ours)][len(theirs)]
    # Alignments form a lattice: the k-th pair is the same in all if it has one candidate only.
    candidates: dict[int, Pairs] = {}
    for i, sign in enumerate(ours):
        for j, other in enumerate(theirs):
            rank = before[i][j]
            if sign == other and rank + 1 + after[len(ours) - i - 1][len(theirs) - j - 1] == total:
                candidates.setdefault(rank, []).append((i, j))
    return [found[0] for found in candidates.values() if len(found) == 1]


def _lengths(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> list[list[int]]:
    """Give the lengths of the longest common subsequences of all beginnings."""
    rows = [[0] * (len(theirs) + 1)]
    for sign in ours:
        row = [0]
        for j, other in enumerate(theirs):
            row.append(rows[-1][j] + 1 if sign == other else max(row[-1], rows[-1][j + 1]))
        rows.append(row)
    return rows


def only_ones(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Pairs:
    """Pair the places of signs that occur once on either side.

    >>> only_ones("abcc", "bcad")
    [(0, 2), (1, 0)]
    """
    counts = Counter(ours), Counter(theirs)
    places = {sign: place for place, sign in enumerate(theirs)}
    return [
        (place, places[sign])
        for place, sign in enumerate(ours)
        if counts[0][sign] == counts[1][sign] == 1
    ]
