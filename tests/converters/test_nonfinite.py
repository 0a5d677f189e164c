"""NaN, infinities, denormals, zeros and extremes: carried bit for bit; the first two counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner
from samples import bits

from converters import convert_file, read_checkpoint
from converters.cli import main
from converters.dtypes import BY_NAME
from converters.nonfinite import BLOCK, INFINITY, NAN_ALONE, Nonfinite, nonfinite

FLOATS = (*INFINITY, *NAN_ALONE)
WIDE = {8: np.uint8, 16: np.uint16}


def telling(name: str) -> torch.Tensor:
    """Return every value of a small type; of a large one the ends of ranges, and random bits."""
    dtype = getattr(torch, name)
    part = getattr(torch, {"complex64": "float32", "complex128": "float64"}.get(name, name))
    width = part.itemsize * 8
    if width in WIDE:
        return torch.from_numpy(np.arange(2**width, dtype=WIDE[width])).view(dtype)
    facts = torch.finfo(part)
    ends = [0.0, facts.tiny, facts.tiny / 4, facts.smallest_normal, facts.max, facts.eps]
    ends += [float("inf"), float("nan")]
    values = torch.tensor(ends + [-one for one in ends], dtype=part)
    random = np.random.default_rng(width).integers(0, 256, 1 << 12, np.uint8)
    return torch.cat([values, torch.from_numpy(random).view(part)]).view(dtype)


def carrier(values: torch.Tensor, name: str) -> np.ndarray:
    return np.frombuffer(bits(values), BY_NAME[name].numpy).reshape(tuple(values.shape))


@pytest.mark.parametrize("name", FLOATS)
def test_counted_as_torch_counts(name: str) -> None:
    values = telling(name)
    parts = torch.view_as_real(values) if values.is_complex() else values.double()
    wanted = Nonfinite(int(parts.isnan().sum()), int(parts.isinf().sum()))
    assert wanted.nan
    assert bool(wanted.inf) == (name in INFINITY)
    assert nonfinite(carrier(values, name), BY_NAME[name]) == wanted


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_one_is_found_wherever_it_stands_and_however_it_lies(bad: float) -> None:
    random = np.random.default_rng(4)
    for place in (0, BLOCK - 1, BLOCK, 2 * BLOCK + 8):
        values = random.standard_normal(2 * BLOCK + 9).astype(np.float32)
        values[place] = bad
        found = nonfinite(values, BY_NAME["float32"])
        assert found == (Nonfinite(1, 0) if np.isnan(bad) else Nonfinite(0, 1))
    matrix = values[: BLOCK * 2].reshape(256, -1)
    matrix[3, 5] = bad
    assert nonfinite(matrix.T[5:6, ::3], BY_NAME["float32"]) != Nonfinite()
    assert nonfinite(matrix.T, BY_NAME["float32"]) != Nonfinite()


@pytest.mark.parametrize("name", ["int8", "int64", "uint16", "uint64", "bool"])
def test_of_integers_there_is_nothing_to_count(name: str) -> None:
    ones = np.frombuffer(b"\xff" * 64, np.uint8).view(BY_NAME[name].numpy)
    assert nonfinite(ones, BY_NAME[name]) == Nonfinite()
    assert nonfinite(np.ones((0, 3), np.float32), BY_NAME["float32"]) == Nonfinite()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", FLOATS)
def test_every_value_is_carried_bit_for_bit_and_counted(
    tmp_path: Path, name: str, suffix: str
) -> None:
    if suffix == ".safetensors" and not BY_NAME[name].safetensors:
        suffix = ".pth"
    values = telling(name)
    source, target = tmp_path / "a.pth", tmp_path / f"b{suffix}"
    torch.save({"odd": values, "fine": torch.ones(3)}, source)
    form = "torch-zip" if suffix == ".pth" else "safetensors"
    report = convert_file(source, target, to="torch", form=form)
    assert bits(read_checkpoint(target)["odd"].load()) == bits(values)
    wanted = nonfinite(carrier(values, name), BY_NAME[name])
    assert report.nonfinite == {"odd": wanted}


@pytest.mark.parametrize("shards", [[], ["--max-shard-size", "600"]])
def test_the_report_of_a_port_names_them(tmp_path: Path, shards: list[str]) -> None:
    """Counted under the target's keys, in shards too, transposed tensors as well."""
    state = {f"{n}.weight": torch.randn(8, 4, 3, 3) for n in range(3)}
    state["0.weight"][1, 2, 0, 0] = float("nan")
    state["2.weight"][0, 0, 0] = -float("inf")
    torch.save(state, tmp_path / "a.pth")
    report = tmp_path / "r.json"
    words = ["--to", "paddle", *shards, "--json", str(report), str(tmp_path / "a.pth")]
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, result.exception) == (0, None), result.output
    assert "1 NaN, 3 infinite, carried over as they are: '0.weight', '2.weight'" in result.output
    assert json.loads(report.read_text())["nonfinite"] == {
        "0.weight": {"nan": 1, "inf": 0},
        "2.weight": {"nan": 0, "inf": 3},
    }


def test_a_transposed_linear_keeps_and_counts_them(tmp_path: Path) -> None:
    layer = torch.nn.Linear(5, 3)
    with torch.no_grad():
        layer.weight[2, 4] = float("nan")
    torch.save(layer.state_dict(), tmp_path / "a.pth")
    report = convert_file(
        tmp_path / "a.pth", tmp_path / "a.pdparams", target=paddle.nn.Linear(5, 3)
    )
    assert report.counts == {"transpose": 1, "copy": 1}
    assert report.nonfinite == {"weight": Nonfinite(1, 0)}
    assert np.isnan(paddle.load(str(tmp_path / "a.pdparams"))["weight"].numpy()[4, 2])


def test_finite_weights_are_not_spoken_of(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(2, 2, 1, 1)}, tmp_path / "a.pth")
    report = convert_file(tmp_path / "a.pth", tmp_path / "a.pdparams", arch="generic")
    assert report.nonfinite == {}
    assert "NaN" not in report.plain()
