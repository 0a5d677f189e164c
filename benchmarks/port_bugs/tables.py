"""The benchmark's section of RESULTS.md, and the same as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.port_bugs.causes import KINDS
from benchmarks.port_bugs.network import STRANGER
from benchmarks.port_bugs.score import Alarm, Score, share


def section(scores: Sequence[Score], alarms: Sequence[Alarm]) -> Iterator[str]:
    """Yield the lines of the section."""
    asked = [score for score in scores if score.answer is not None]
    yield (
        f"{len(scores)} bugs of {len({score.bug.cause for score in scores})} kinds, planted one at "
        f"a time in {len({score.bug.network for score in scores})} networks; {STRANGER} is one "
        "that no rule was made for, though its misses, too, were looked at while causes were "
        "mended. The layer and the cause count if they are the first that is "
        "named."
    )
    if len(asked) < len(scores):
        yield ""
        yield f"{len(scores) - len(asked)} of them need a check that does not exist yet."
    for title, key, names in (
        ("network", lambda score: score.bug.network, None),
        ("kind", lambda score: score.bug.kind, tuple(KINDS)),
    ):
        yield ""
        yield from _table(title, asked, key, names)
    yield ""
    yield from _alarms(alarms)
    yield from _misses(asked)


def _table(
    title: str,
    scores: Sequence[Score],
    key: Callable[[Score], str],
    names: Sequence[str] | None,
) -> Iterator[str]:
    yield f"| {title} | found | right layer | right cause |"
    yield "|---|---|---|---|"
    for name in names or dict.fromkeys(key(score) for score in scores):
        rows = [score for score in scores if key(score) == name]
        if rows:
            yield f"| {name} | {_shares(rows)} |"
    yield f"| **all** | {_shares(scores)} |"


def _shares(scores: Sequence[Score]) -> str:
    placed = [score.right_layer for score in scores if score.bug.layer is not None]
    found, named = ([getattr(s, what) for s in scores] for what in ("found", "right_cause"))
    return f"{share(found)} | {share(placed)} | {share(named)}"


def _alarms(alarms: Sequence[Alarm]) -> Iterator[str]:
    false = [alarm for alarm in alarms if alarm.false]
    yield f"Correct ports called faulty: {share([alarm.false for alarm in alarms])}."
    for alarm in false:
        yield f"- {alarm.correct.name}{_why(alarm.answer.error)}"


def _misses(scores: Sequence[Score]) -> Iterator[str]:
    for title, missed in (
        ("Not found", [s for s in scores if not s.found]),
        (
            "Found, but another layer was named",
            [s for s in scores if s.found and s.bug.layer is not None and not s.right_layer],
        ),
    ):
        if missed:
            yield ""
            yield f"{title}:"
            yield from (f"- {score.bug.name}{_instead(score)}" for score in missed)
    named = [s for s in scores if s.answer is not None and s.answer.causes[:1] not in ((), ("",))]
    wrong = [score for score in named if not score.right_cause]
    if wrong:
        yield ""
        yield "Another cause was named:"
        yield from (f"- {score.bug.name}: {score.answer.causes[0]}" for score in wrong)


def _instead(score: Score) -> str:
    answer = score.answer
    if answer is None or not answer.layers:
        return _why(answer.error) if answer is not None else ""
    return f": {answer.layers[0] or repr('')}"


def _why(error: str) -> str:
    return f" ({error})" if error else ""


def as_json(scores: Sequence[Score], alarms: Sequence[Alarm]) -> dict[str, Any]:
    """Give everything as plain values."""
    return {
        "bugs": [_plain(score) for score in scores],
        "correct": [{"name": alarm.correct.name, "false_alarm": alarm.false} for alarm in alarms],
    }


def _plain(score: Score) -> dict[str, Any]:
    bug, answer = score.bug, score.answer
    return {
        "network": bug.network,
        "kind": bug.kind,
        "cause": bug.cause,
        "layer": bug.layer,
        "check": bug.check,
        "planted": [{"old": edit.old, "new": edit.new} for edit in bug.edits],
        "asked": answer is not None,
        "found": score.found,
        "right_layer": None if bug.layer is None else score.right_layer,
        "right_cause": score.right_cause,
        "named_layers": list(answer.layers) if answer else [],
        "named_causes": list(answer.causes) if answer else [],
        "error": answer.error if answer else "",
        "seconds": round(answer.seconds, 3) if answer else None,
    }
