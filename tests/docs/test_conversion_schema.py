"""What `stdc-convert --json` writes is as its published schema says."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest

from converters import convert_file
from converters.entries import ACTIONS

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = json.loads(resources.files("converters").joinpath("report.schema.json").read_text("utf-8"))


def complaints(content: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(SCHEMA).iter_errors(content)
    return [error.message for error in found]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype("float32")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safetensors.numpy import save_file

    path = tmp_path_factory.mktemp("schema") / "net.safetensors"
    tensors = {"fc.weight": numbers(3, 5), "fc.bias": np.array([1, np.nan, np.inf], "float32")}
    tensors |= {f"bn.{name}": numbers(4) for name in ("weight", "bias", "running_mean")}
    tensors |= {"bn.running_var": abs(numbers(4)), "bn.num_batches_tracked": np.array(7)}
    save_file(tensors, path)
    return path


@pytest.mark.parametrize("shards", [None, "100B"])
def test_a_report_is_as_the_schema_says(source: Path, tmp_path: Path, shards: str | None) -> None:
    name = "net.safetensors" if shards else "net.pdparams"
    report = convert_file(
        source, tmp_path / name, arch="generic", to="paddle", max_shard_size=shards
    )
    content = json.loads(json.dumps(report.to_json()))
    assert complaints(content) == []
    assert set(content["counts"]) == {"copy", "rename", "transpose", "drop"}
    assert list(content["special_values"]) == ["fc.bias"]


def test_the_schema_is_valid_and_sees_what_is_missing_or_new(source: Path, tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    report = convert_file(source, tmp_path / "net.pdparams", arch="generic")
    content = json.loads(json.dumps(report.to_json()))
    for one in (content, content["source"], content["entries"][0], content["files"][0]):
        for key in list(one):
            value = one.pop(key)
            assert complaints(content), key
            one[key] = value
        one["surprise"] = 1
        assert complaints(content)
        del one["surprise"]


def test_the_schema_knows_every_action() -> None:
    assert tuple(SCHEMA["$defs"]["action"]["enum"]) == ACTIONS
