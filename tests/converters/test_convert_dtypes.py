"""Element types of a target: rounding on request, values beyond a type, hints."""

import json
from pathlib import Path

import paddle
import pytest
import torch
from convert_command import convert, flat, left
from samples import trained

from converters import RefusedError, convert_file
from stdc_port import paddle_nets


def test_another_element_type(classifier, tmp_path):
    result = convert(classifier, "-o", tmp_path / "a.pdparams", "--dtype", "bfloat16", "-q")
    assert result.exit_code == 0
    found = paddle.load(str(tmp_path / "a.pdparams"))
    assert {value.dtype for value in found.values()} == {paddle.bfloat16}


def test_a_value_too_large_for_the_type_is_refused(tmp_path: Path) -> None:
    state = trained("stdc1", num_classes=4).state_dict()
    state["linear.weight"][1, 2] = 1e6
    torch.save(state, tmp_path / "large.pth")
    result = convert(tmp_path / "large.pth", "--dtype", "float16")
    assert result.exit_code == 1
    assert "linear.weight': 1 of its values are beyond the range of float16" in result.output
    assert left(tmp_path) == ["large.pth"]
    assert convert(tmp_path / "large.pth", "--dtype", "bfloat16").exit_code == 0


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_nan_is_rounded_without_a_word(tmp_path: Path, dtype: str) -> None:
    state = trained("stdc1", num_classes=4).state_dict()
    state["linear.weight"][1, 2] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    result = convert(tmp_path / "nan.pth", "--dtype", dtype, "-q")
    assert (result.exit_code, result.output) == (0, "")
    found = paddle.load(str(tmp_path / "nan.pdparams"))["linear.weight"]
    assert paddle.isnan(found.cast("float32")).sum().item() == 1


def test_types_that_the_target_does_not_load_are_hinted_at(classifier, tmp_path):
    """Paddle loads half precision into no network in single precision, the usual one."""
    report = tmp_path / "report.json"
    kept = convert(classifier, "-o", tmp_path / "a.pdparams", "--json", report)
    line = "hint the target holds float16, which Paddle does not load into a network in float32; "
    assert line + "--dtype float32 writes float32 and loses nothing" in flat(kept.stdout)
    assert len(json.loads(report.read_text())["hints"]) == 1
    network = paddle_nets.build("stdc1", num_classes=4)
    with pytest.raises(AssertionError, match="dtype not match"):
        network.set_state_dict(paddle.load(str(tmp_path / "a.pdparams")))
    single = convert(classifier, "-o", tmp_path / "b.pdparams", "--dtype", "float32")
    assert "hint" not in single.stdout
    assert network.set_state_dict(paddle.load(str(tmp_path / "b.pdparams"))) == ([], [])
    back = convert(tmp_path / "a.pdparams", "-o", tmp_path / "c.pth")
    assert "hint" not in back.stdout


@pytest.mark.parametrize(
    ("source", "network", "mend"),
    [
        ("float16", "float32", "--dtype float32 writes float32 and loses nothing"),
        ("float64", "float32", "--dtype float32 writes float32 and rounds"),
        ("float32", "float16", "--dtype float16 writes float16 and rounds"),
        ("float32", "float64", "cast it when it is loaded"),
        ("float16", "float16", ""),
    ],
)
def test_the_target_networks_own_type_decides(tmp_path, source, network, mend):
    torch.save(torch.nn.Linear(2, 3).to(getattr(torch, source)).state_dict(), tmp_path / "a.pth")
    target = paddle.nn.Linear(2, 3)
    target.to(dtype=network)
    report = convert_file(tmp_path / "a.pth", target=target)
    assert len(report.hints) == bool(mend)
    assert all(f"this network in {network}; {mend}" in line for line in report.hints)


def test_a_value_beyond_the_targets_type_names_the_file(tmp_path):
    torch.save({"w.weight": torch.full((1, 1, 1, 1), 1e6)}, tmp_path / "a.pth")
    with pytest.raises(RefusedError, match=r"^\S+a\.pth: not converted, 1 problem"):
        convert_file(tmp_path / "a.pth", dtype="float16")
