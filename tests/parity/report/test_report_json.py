from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import made_up
import parity_toys as toys
import pytest

from parity import check_parity
from parity.report.json_report import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parity import ParityResult

VALIDATOR = jsonschema.Draft202012Validator(schema())


def written(result: ParityResult) -> Any:
    return json.loads(json.dumps(result.to_json("title"), allow_nan=False))


def complaints(content: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(content)]


@pytest.mark.parametrize("make", [made_up.made_up, made_up.nothing, made_up.passing])
def test_what_was_made_up_is_as_the_schema_says(make: Any) -> None:
    assert complaints(written(make())) == []


@pytest.mark.parametrize("paddle_model", [toys.paddle_model, toys.paddle_wrong_pool])
def test_a_real_check_is_as_the_schema_says(paddle_model: Any) -> None:
    checks = ("forward", "backward")
    result = check_parity(toys.torch_model(), paddle_model(), toys.images(), checks=checks)
    content = written(result)
    assert complaints(content) == []
    assert content["inputs"] == ["float32 2×3×9×7"]
    assert set(content["versions"]) >= {"torch", "paddle", "numpy", "python", "stdc-port"}


def thinned(content: Any) -> Any:
    """Keep of each list of objects the richest one."""
    if isinstance(content, dict):
        return {key: thinned(value) for key, value in content.items()}
    if isinstance(content, list) and content and isinstance(content[0], dict):
        return [thinned(max(content, key=lambda item: len(str(item))))]
    return content


def objects(content: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside."""
    if isinstance(content, dict):
        yield content
    if isinstance(content, dict | list):
        for value in content.values() if isinstance(content, dict) else content:
            yield from objects(value)


def test_the_schema_is_valid_and_sees_whatever_is_missing_or_new() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    content = thinned(written(made_up.made_up()))
    assert complaints(content) == []
    free = [content["versions"], content["counts"]]
    found = [one for one in objects(content) if not any(one is other for other in free)]
    assert len(found) > 12
    for one in found:
        for key in list(one):
            value = one.pop(key)
            assert complaints(content), key
            one[key] = value
        one["surprise"] = 1
        assert complaints(content), list(one)
        del one["surprise"]


def test_the_first_divergence_is_found_among_repeated_calls() -> None:
    content = written(made_up.made_up())
    assert content["first_divergence"] == "pool"
    assert content["layers"][content["first_divergence_at"]]["call"] == 0
    assert content["faulty"] == ["pool", made_up.SCRIPT]
    assert written(made_up.passing())["first_divergence_at"] is None


def test_what_is_not_finite_is_still_json() -> None:
    content = written(made_up.made_up())
    errors = [layer["error32"] for layer in content["layers"]]
    assert max(error for error in errors if error is not None) > 1e300
    cells = content["layers"][content["first_divergence_at"]]["tensors"][0]["map"]["cells"]
    assert cells[0][0] is None
    assert cells[5][5] == 0
