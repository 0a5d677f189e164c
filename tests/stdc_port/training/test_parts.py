"""Parts of an evaluation become the whole, and nothing else does."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from converters.errors import InputError
from stdc_port.training.cityscapes import Pair
from stdc_port.training.metrics import Evaluation
from stdc_port.training.parts import Origin, Part, combined, origin_of, read_part


def part(number: int, /, **changed: Any) -> Part:
    matrix = np.random.default_rng(number).integers(0, 2**40, (19, 19))
    origin = {"number": number, "parts": 3, "pictures": 12, "names": "n" * 64, "weights": "w" * 64}
    evaluation = Evaluation(matrix, 4, (0.5, 1.0), flip=True)
    return Part(evaluation, Origin(**{**origin, **changed}))


def three(**last: Any) -> dict[str, Part]:
    return {"a": part(1), "b": part(2), "c": part(3, **last)}


def test_all_parts_are_the_whole() -> None:
    whole = combined(three())
    found = sum(part(number).evaluation.matrix for number in (1, 2, 3))
    np.testing.assert_array_equal(whole.evaluation.matrix, found)
    assert (whole.evaluation.images, whole.origin.parts) == (12, 1)
    assert combined({"whole": whole}) is not None


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ({"names": "m" * 64}, "c: set of 12 pictures (mmmmmmmm), but 12 pictures (nnnnnnnn) in a"),
        ({"pictures": 13}, "c: set of 13 pictures"),
        ({"weights": "v" * 64}, "c: weights vvvvvvvv, but wwwwwwww in a"),
        ({"parts": 4}, "c: cut into 4 parts, but 3 parts in a"),
        ({"number": 2}, "c: part 2, as b: they overlap"),
    ],
)
def test_what_does_not_belong_together(last: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as error:
        combined(three(**last))
    assert told in str(error.value)


def test_parts_that_were_asked_differently() -> None:
    parts = three()
    changed = replace(parts["c"].evaluation, scales=(0.75,), flip=False)
    with pytest.raises(InputError) as error:
        combined({**parts, "c": replace(parts["c"], evaluation=changed)})
    assert "c: scales 0.75, but 0.5, 1 in a" in str(error.value)
    assert "c: mirrored pictures not seen" in str(error.value)


def test_missing_parts_are_named_with_what_makes_them() -> None:
    with pytest.raises(InputError, match=r"part 2/3 is missing.*--part 2/3"):
        combined({"a": part(1), "c": part(3)})
    few = {
        name: replace(p, evaluation=replace(p.evaluation, images=3)) for name, p in three().items()
    }
    with pytest.raises(InputError, match="9 of 12 pictures"):
        combined(few)


def test_a_part_survives_its_file(tmp_path: Path) -> None:
    weights = tmp_path / "w"
    weights.write_bytes(b"weights")
    pairs = [Pair(name, Path("a"), Path("b"), train_ids=False) for name in ("x", "y")]
    origin = origin_of(weights, pairs, (1, 2))
    assert (origin.number, origin.parts, origin.pictures) == (2, 2, 2)
    assert origin.names == origin_of(weights, pairs[::-1], (0, 2)).names
    assert origin.names != origin_of(weights, pairs[:1], (1, 2)).names
    written = replace(part(2), origin=origin)
    (tmp_path / "p.json").write_text(json.dumps(written.to_json()))
    assert read_part(tmp_path / "p.json").to_json() == written.to_json()


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps(part(1).evaluation.to_json())])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(InputError, match=r"p\.json: no evaluation"):
        read_part(tmp_path / "p.json")


ODD = (None, 7, -1, 2.5, 10**30, float("inf"), "x", "\x1b[31m", [], {}, [[1]], True, "9" * 5000)


def places(content: Any, *place: Any) -> Iterator[tuple[Any, ...]]:
    """Every place of a value, down to the second entry of a list."""
    yield place
    inner = content.items() if isinstance(content, dict) else []
    for key, value in inner or (enumerate(content[:2]) if isinstance(content, list) else []):
        yield from places(value, *place, key)


def altered(place: tuple[Any, ...], value: object) -> str:
    content: Any = {"": part(1).to_json()}
    at = content
    for key in ("", *place)[:-1]:
        at = at[key]
    at[("", *place)[-1]] = value
    return json.dumps(content[""])


@pytest.mark.parametrize("place", [*places(part(1).to_json())], ids=str)
def test_altered_parts_are_read_or_refused(tmp_path: Path, place: tuple[Any, ...]) -> None:
    path = tmp_path / "p.json"
    for value in ODD:
        path.write_text(altered(place, value))
        with suppress(InputError):
            whole = combined({"1": read_part(path), "2": part(2), "3": part(3)})
            json.dumps(whole.to_json())
            Console(file=io.StringIO()).print(whole)


def test_lists_without_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("[" * 500_000)
    with pytest.raises(InputError, match="nested without end"):
        read_part(tmp_path / "p.json")


def test_classes_without_names_are_refused(tmp_path: Path) -> None:
    content = {**part(1).to_json(), "matrix": [[1]], "iou": [[0.5]]}
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="no evaluation"):
        read_part(tmp_path / "p.json")
