"""Calls of one module that the two networks make in another order.

A shared activation is called on the left branch first in one network and on the right branch first
in the other. By index such calls would be compared crosswise. What tells them apart is where their
inputs come from: calls are given the same number if they were given what the same calls returned.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from parity.pair import partners
from parity.record import Record
from parity.search import Assumed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from parity.record import CallKey
    from parity.result import ParityResult
    from parity.source import Source


def could_be_reordered(result: ParityResult) -> bool:
    """Tell whether calls of one module differ, of which there are several."""
    counted = Counter(layer.name for layer in result.layers if layer.phase == "forward")
    return any(not layer.state.passes and counted[layer.name] > 1 for layer in result.layers)


def renumbered(ours: Source, theirs: Source, rename: Mapping[str, str]) -> dict[CallKey, int]:
    """Give torch's number of those paddle calls that have another one there.

    Only modules that are called equally often, each time on something else, and on the same things
    in both networks: nothing is guessed.

    Args:
        ours: Torch's run.
        theirs: Paddle's.
        rename: Torch path prefix to paddle path prefix.

    Raises:
        NetworkError: A network's forward raised.
    """
    paths = partners(ours.paths(), theirs.paths(), rename)
    in_torch = {theirs: ours for ours, theirs in paths.items()}
    known: dict[object, int] = {}
    ours_by_sign = _by_sign(_calls(ours), {path: path for path in paths}, known)
    theirs_by_sign = _by_sign(_calls(theirs), in_torch, known)
    numbers: dict[CallKey, int] = {}
    for theirs_path, ours_path in in_torch.items():
        wanted, found = ours_by_sign[ours_path], theirs_by_sign[theirs_path]
        if None not in wanted and wanted.keys() == found.keys():
            new = {(theirs_path, found[sign]): wanted[sign] for sign in wanted}
            numbers |= {key: number for key, number in new.items() if key[1] != number}
    return numbers


def in_another_order(numbers: Mapping[CallKey, int]) -> tuple[Assumed, ...]:
    """Say which calls were paired so, for the list of what was assumed."""
    return tuple(
        Assumed(f"call {number}", f"call {call} of {path}", "by what it was given")
        for (path, call), number in numbers.items()
    )


def _calls(run: Source) -> list[tuple[CallKey, tuple[CallKey, ...]]]:
    found: list[tuple[CallKey, tuple[CallKey, ...]]] = []

    def note(record: Record) -> None:
        found.append((record.key, record.sources))

    run.stream(note)
    return found


def _by_sign(
    calls: Iterable[tuple[CallKey, tuple[CallKey, ...]]],
    names: Mapping[str, str],
    known: dict[object, int],
) -> defaultdict[str, dict[int | None, int]]:
    """Give for each path its calls' numbers by what they were called on; None: not to be told.

    Args:
        calls: Each call with those that had returned its inputs.
        names: A path's name in both networks; without one, what it returns is nobody's.
        known: The signs that were given out, for both networks.
    """
    signs: dict[CallKey, int] = {}
    found: defaultdict[str, dict[int | None, int]] = defaultdict(dict)
    for key, sources in calls:
        path, number = key
        # A source that is still running is a container around this call: no sign yet.
        content = names.get(path), tuple(signs.get(source) for source in sources)
        sign = known.setdefault(content, len(known))
        told = all(part is not None for part in content[1]) and bool(sources)
        signs[key] = sign
        place = sign if told and sign not in found[path] else None
        found[path][place] = number
    return found
