"""NaN, infinities, subnormal values, zeros, extremes: carried bit for bit, and counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from samples import bits

from converters import convert_file, read_checkpoint
from converters.cli import main
from converters.dtypes import BY_NAME
from converters.special_values import BLOCK, FLOATS, SpecialValues, special_values

ELEMENTS = BLOCK // 4  # of float32
BITS = st.binary(min_size=8, max_size=64).map(lambda text: text[: len(text) // 8 * 8])
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


def by_value(values: torch.Tensor, name: str) -> SpecialValues:
    """Count by what torch says of the values as numbers, not by bits."""
    parts = torch.view_as_real(values) if values.is_complex() else values
    facts, numbers = torch.finfo(parts.dtype), parts.double()
    size, finite = numbers.abs(), numbers.isfinite()
    zero, minus = numbers == 0, numbers.signbit()
    # A scale without sign and zero: torch gives its smallest value as the smallest normal one.
    subnormal = finite & ~zero & (size < facts.smallest_normal)
    counts = (numbers.isnan(), numbers.isinf(), finite & (size == facts.max), subnormal)
    return SpecialValues(*(int(found.sum()) for found in (*counts, zero & minus)))


@pytest.mark.parametrize("name", FLOATS)
def test_counted_as_torch_counts(name: str) -> None:
    values = telling(name)
    wanted = by_value(values, name)
    assert wanted.nan
    assert wanted.largest
    assert bool(wanted.inf) == (FLOATS[name].kind == "ieee")
    assert bool(wanted.subnormal) == FLOATS[name].signed
    assert bool(wanted.negative_zero) == (FLOATS[name].signed and FLOATS[name].kind != "fnuz")
    assert special_values(carrier(values, name), BY_NAME[name]) == wanted


@given(BITS, st.sampled_from(sorted(FLOATS)))
def test_any_bits_are_counted_as_torch_counts(text: bytes, name: str) -> None:
    """A few elements at a time, so that each short cut is taken and left."""
    whole = text * (2 if name == "complex128" else 1)
    values = torch.frombuffer(bytearray(whole), dtype=getattr(torch, name))
    assert special_values(carrier(values, name), BY_NAME[name]) == by_value(values, name)


SINGLE = {
    "nan": [np.nan, -np.nan],
    "inf": [np.inf, -np.inf],
    "largest": [np.finfo(np.float32).max, np.finfo(np.float32).min],
    "subnormal": [1e-45, -1e-45, 1.1754942e-38, -1.1754942e-38],
    "negative_zero": [-0.0],
}


@pytest.mark.parametrize(("what", "value"), [(k, v) for k, row in SINGLE.items() for v in row])
def test_one_is_found_wherever_it_stands_and_however_it_lies(what: str, value: float) -> None:
    random, kind, one = np.random.default_rng(4), BY_NAME["float32"], SpecialValues(**{what: 1})
    values = random.standard_normal(2 * ELEMENTS + 9).astype(np.float32)
    assert special_values(values, kind) == SpecialValues()
    for place in (0, ELEMENTS - 1, ELEMENTS, 2 * ELEMENTS + 8):
        there = values.copy()
        there[place] = value
        assert special_values(there, kind) == one
    values[::7] = 0
    matrix = values[: ELEMENTS * 2].reshape(256, -1)
    matrix[3, 5] = value
    assert special_values(matrix.T[5:6, ::3], kind) == one
    assert special_values(matrix.T, kind) == one


@pytest.mark.parametrize("value", [1.1754944e-38, -1.1754944e-38, 3.4028233e38, 0.0])
def test_what_lies_beside_the_special_is_not(value: float) -> None:
    beside = np.full(9, value, np.float32)
    assert special_values(beside, BY_NAME["float32"]) == SpecialValues()


@pytest.mark.parametrize("name", ["int8", "int64", "uint16", "uint64", "bool"])
def test_of_integers_there_is_nothing_to_count(name: str) -> None:
    ones = np.frombuffer(b"\xff" * 64, np.uint8).view(BY_NAME[name].numpy)
    assert special_values(ones, BY_NAME[name]) == SpecialValues()
    assert special_values(np.ones((0, 3), np.float32), BY_NAME["float32"]) == SpecialValues()


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
    assert report.special_values == {"odd": by_value(values, name)}


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
    told = json.loads(report.read_text())["special_values"]
    assert {key: {what: n for what, n in one.items() if n} for key, one in told.items()} == {
        "0.weight": {"nan": 1},
        "2.weight": {"inf": 3},
    }


def test_the_report_says_why_the_others_matter(tmp_path: Path) -> None:
    state = {f"{n}.weight": torch.randn(8, 4, 3, 3) for n in range(3)}
    state["0.weight"][1, 2, 0, :2] = 1e-40
    state["1.weight"][0, 0, 0, 0] = -0.0
    state["2.weight"][0, 0, 0] = torch.finfo(torch.float32).min
    torch.save(state, tmp_path / "a.pth")
    lines = convert_file(tmp_path / "a.pth", arch="generic").plain().splitlines()
    assert [line for line in lines if line.startswith("values")] == [
        "values  3 at their type's largest value, perhaps cut off by a cast: '2.weight'",
        "values  2 subnormal, which devices that flush to zero take for 0: '0.weight'",
        "values  1 of value -0, which equals 0 but for its sign: '1.weight'",
    ]


def test_a_transposed_linear_keeps_and_counts_them(tmp_path: Path) -> None:
    layer = torch.nn.Linear(5, 3)
    with torch.no_grad():
        layer.weight[2, 4] = float("nan")
    torch.save(layer.state_dict(), tmp_path / "a.pth")
    report = convert_file(
        tmp_path / "a.pth", tmp_path / "a.pdparams", target=paddle.nn.Linear(5, 3)
    )
    assert report.counts == {"transpose": 1, "copy": 1}
    assert report.special_values == {"weight": SpecialValues(nan=1)}
    assert np.isnan(paddle.load(str(tmp_path / "a.pdparams"))["weight"].numpy()[4, 2])


def test_usual_weights_are_not_spoken_of(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(2, 2, 1, 1)}, tmp_path / "a.pth")
    report = convert_file(tmp_path / "a.pth", tmp_path / "a.pdparams", arch="generic")
    assert report.special_values == {}
    assert "values" not in report.plain()
