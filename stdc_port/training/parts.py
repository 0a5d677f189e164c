"""Evaluations of parts of a set: what each was made of, and how they become that of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import reduce
from hashlib import sha256
from operator import add
from pathlib import Path
from typing import Any

from rich.table import Table

from converters import InputError
from converters.errors import indented
from converters.shown import Shown
from converters.small_files import small_json
from stdc_port.training.cityscapes import Pair
from stdc_port.training.metrics import Evaluation

# Each that is missing is named.
MOST_PARTS = 10_000


@dataclass(frozen=True)
class Origin:
    """Which part of which set was evaluated, of which weights.

    Attributes:
        number: of the part, from 1 on.
        parts: into how many the set was cut.
        pictures: in the whole set.
        names: digest of their names.
        weights: digest of the file.
    """

    number: int
    parts: int
    pictures: int
    names: str
    weights: str


@dataclass(frozen=True)
class Part(Shown):
    """The evaluation of a part of a set, which may be the whole."""

    evaluation: Evaluation
    origin: Origin

    def to_json(self) -> dict[str, Any]:
        """The evaluation's plain values, and its origin under `part`."""
        return {**self.evaluation.to_json(), "part": asdict(self.origin)}

    def __rich__(self) -> Table:
        """The evaluation's table."""
        return self.evaluation.__rich__()


def origin_of(weights: Path, pairs: Sequence[Pair], part: tuple[int, int]) -> Origin:
    """Take down what an evaluation is made of.

    Args:
        weights: the file.
        pairs: the whole set.
        part: its number, from 0 on, and how many there are.
    """
    names = "\n".join(sorted(pair.name for pair in pairs))
    digests = (sha256(data).hexdigest() for data in (names.encode(), weights.read_bytes()))
    return Origin(part[0] + 1, part[1], len(pairs), *digests)


def read_part(path: Path) -> Part:
    """Read what `stdc-seg evaluate --json` wrote.

    Raises:
        InputError: it is something else.
    """
    try:
        content: Mapping[str, Any] = small_json(path)
        return Part(Evaluation.from_json(content), _origin(content["part"]))
    except (InputError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: no evaluation that stdc-seg evaluate --json wrote ({error})"
        ) from error


def _origin(content: Mapping[str, Any]) -> Origin:
    for field in fields(Origin):
        kind = int if field.type == "int" else str
        if type(content[field.name]) is not kind:
            raise ValueError(f"part.{field.name}: expected {field.type}")
    found = Origin(**content)
    if not (1 <= found.number <= found.parts <= MOST_PARTS and found.pictures >= 0):
        raise ValueError(f"no part {found.number} of {found.parts}, {found.pictures} pictures")
    return found


def combined(parts: Mapping[str, Part]) -> Part:
    """Add the evaluations of all parts of a set up to that of the whole, exactly.

    Args:
        parts: by what they are called in errors, their files say.

    Raises:
        InputError: they belong to different sets or weights, were asked differently, overlap, or
            one is missing; all of this is listed.
    """
    problems = [*_strangers(parts), *_doubles(parts)]
    name, first = next(iter(parts.items()))
    if not problems:
        wanted = range(1, first.origin.parts + 1)
        there = {part.origin.number for part in parts.values()}
        problems = [
            f"part {number}/{len(wanted)} is missing; stdc-seg evaluate --part {number}/"
            f"{len(wanted)} makes it"
            for number in wanted
            if number not in there
        ]
    if problems:
        head = f"{name}: these are not the parts of one evaluation"
        raise InputError(*indented([head, *problems]))
    whole = reduce(add, (part.evaluation for part in parts.values()))
    if whole.images != first.origin.pictures:
        raise InputError(
            f"{name}: the parts hold {whole.images} of {first.origin.pictures} pictures"
        )
    origin = first.origin
    return Part(whole, Origin(1, 1, origin.pictures, origin.names, origin.weights))


def _strangers(parts: Mapping[str, Part]) -> list[str]:
    """Where a part differs from the first in what all must have alike."""
    names = list(parts)
    first = _alike(parts[names[0]])
    return [
        f"{name}: {what} {found}, but {first[what]} in {names[0]}"
        for name in names[1:]
        for what, found in _alike(parts[name]).items()
        if found != first[what]
    ]


def _alike(part: Part) -> dict[str, str]:
    origin, evaluation = part.origin, part.evaluation
    return {
        "set of": f"{origin.pictures} pictures ({origin.names[:8]})",
        "weights": origin.weights[:8],
        "cut into": f"{origin.parts} parts",
        "scales": ", ".join(f"{scale:g}" for scale in evaluation.scales),
        "mirrored pictures": "seen" if evaluation.flip else "not seen",
    }


def _doubles(parts: Mapping[str, Part]) -> list[str]:
    """Parts that are there twice: their pictures would count twice."""
    seen: dict[int, str] = {}
    problems = []
    for name, part in parts.items():
        number = part.origin.number
        if number in seen:
            problems.append(f"{name}: part {number}, as {seen[number]}: they overlap")
        seen.setdefault(number, name)
    return problems
